/** What to do on a Linux machine where no Vulkan adapter answers. Pure: setup.ts looks around and acts. */

export interface LinuxFacts {
  isRoot: boolean;
  /** The text of /etc/os-release; empty where there is none. */
  osRelease: string;
}

export type Remedy =
  | { type: "install"; packages: string[] }
  | { type: "ask"; message: string };

const DEBIAN_PACKAGES = ["mesa-vulkan-drivers", "libvulkan1"];

/** By `ID` and `ID_LIKE` of os-release; each installs the loader and Mesa's drivers, software included. */
const COMMANDS: [family: RegExp, command: string][] = [
  [/^(debian|ubuntu)$/, `apt-get install -y ${DEBIAN_PACKAGES.join(" ")}`],
  [/^(fedora|rhel|centos)$/, "dnf install -y mesa-vulkan-drivers vulkan-loader"],
  [/^arch$/, "pacman -S --noconfirm vulkan-swrast vulkan-icd-loader"],
  [/^(suse|opensuse.*)$/, "zypper install -y libvulkan_lvp libvulkan1"],
  [/^alpine$/, "apk add mesa-vulkan-swrast vulkan-loader"],
];

/** Installs by itself as root on Debian and its like; elsewhere names the one command to run. */
export function remedyFor({ isRoot, osRelease }: LinuxFacts): Remedy {
  const families = familiesOf(osRelease);
  const known = COMMANDS.find(([family]) => families.some((name) => family.test(name)));
  if (known === COMMANDS[0] && isRoot) return { type: "install", packages: DEBIAN_PACKAGES };
  const problem = "Reverie: no Vulkan driver answers, and it trains through Vulkan.";
  if (!known) return { type: "ask", message: `${problem} Install Mesa's Vulkan drivers and the Vulkan loader.` };
  return { type: "ask", message: `${problem} Run: ${isRoot ? "" : "sudo "}${known[1]}` };
}

function familiesOf(osRelease: string): string[] {
  const values = [...osRelease.matchAll(/^(?:ID|ID_LIKE)=["']?(.*?)["']?$/gm)].map((match) => match[1]);
  return values.flatMap((value) => value.toLowerCase().split(/\s+/));
}
