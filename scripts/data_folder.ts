/** Prints the data folder for the serve task's permission flags, which are written before the server reads its settings. */

/** Gives the data folder; if permission flags cannot name it, says so and ends the process. */
export function readDataFolder(): string {
  const folder = Deno.env.get("REVERIE_DATA") || "./data";
  if (!folder.includes(",")) return folder;
  console.error(
    `REVERIE_DATA=${folder} has a comma, at which Deno splits permission flags: choose a folder without one`,
  );
  Deno.exit(1);
}

if (import.meta.main) console.log(readDataFolder());
