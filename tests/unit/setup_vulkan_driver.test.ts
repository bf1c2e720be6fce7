import { expect, test } from "bun:test";
import { remedyFor } from "../../scripts/vulkan_driver.ts";

const debian = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n';
const mint = 'ID=linuxmint\nID_LIKE="ubuntu debian"\n';
const fedora = "ID=fedora\n";

test("root on Debian and its like installs", () => {
  for (const osRelease of [debian, mint]) {
    expect(remedyFor({ isRoot: true, osRelease }))
      .toEqual({ type: "install", packages: ["mesa-vulkan-drivers", "libvulkan1"] });
  }
});

test("another user is told the one command", () => {
  const remedy = remedyFor({ isRoot: false, osRelease: debian });
  expect(remedy).toMatchObject({ type: "ask" });
  expect(remedy).toHaveProperty(
    "message",
    expect.stringContaining("Run: sudo apt-get install -y mesa-vulkan-drivers libvulkan1"),
  );
});

test.each([
  [fedora, "sudo dnf install"],
  ['ID="rocky"\nID_LIKE="rhel centos fedora"\n', "sudo dnf install"],
  ["ID=manjaro\nID_LIKE=arch\n", "sudo pacman -S"],
  ['ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n', "sudo zypper install"],
  ["ID=alpine\n", "sudo apk add"],
])("%j has its own command", (osRelease, command) => {
  expect(remedyFor({ isRoot: false, osRelease })).toHaveProperty("message", expect.stringContaining(command));
});

test("root elsewhere is asked too, without sudo", () => {
  const remedy = remedyFor({ isRoot: true, osRelease: fedora });
  expect(remedy).toHaveProperty("message", expect.stringContaining("Run: dnf install"));
});

test("an unknown distribution is told what to look for", () => {
  const remedy = remedyFor({ isRoot: true, osRelease: "" });
  expect(remedy).toHaveProperty("message", expect.stringContaining("Mesa's Vulkan drivers"));
});
