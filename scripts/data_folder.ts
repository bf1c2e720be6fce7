/** Prints the data folder for the serve task's permission flags, which are written before the server reads its settings. */
const folder = Deno.env.get("REVERIE_DATA") || "./data";
if (folder.includes(",")) {
  console.error(
    `REVERIE_DATA=${folder} has a comma, at which Deno splits permission flags: choose a folder without one`,
  );
  Deno.exit(1);
}
console.log(folder);
