import { expect, test } from "bun:test";
import { isPublicAddress, OutboundUrlError, parseOutboundUrl } from "#src/runs/outbound_url.ts";

test.each([
  "8.8.8.8",
  "172.32.0.1",
  "100.128.0.1",
  "2606:4700::1111",
  "2a00:1450:4001::1",
  "::ffff:8.8.8.8",
  "64:ff9b::808:808",
])("%s is public", (address) => expect(isPublicAddress(address)).toBe(true));

test.each([
  ["unspecified", "0.0.0.0"],
  ["this network", "0.1.2.3"],
  ["private", "10.0.0.1"],
  ["private", "172.16.0.1"],
  ["private", "172.31.255.255"],
  ["private", "192.168.1.1"],
  ["loopback", "127.0.0.1"],
  ["loopback", "127.255.0.9"],
  ["link-local, clouds' metadata", "169.254.169.254"],
  ["carrier-grade NAT", "100.64.0.1"],
  ["IETF protocols", "192.0.0.1"],
  ["documentation", "203.0.113.7"],
  ["benchmarking", "198.18.0.1"],
  ["multicast", "224.0.0.1"],
  ["reserved", "240.0.0.1"],
  ["broadcast", "255.255.255.255"],
  ["unspecified", "::"],
  ["loopback", "::1"],
  ["link-local", "fe80::1"],
  ["link-local with a zone", "fe80::1%eth0"],
  ["site-local", "fec0::1"],
  ["unique local", "fd00::1"],
  ["multicast", "ff02::1"],
  ["documentation", "2001:db8::1"],
  ["mapped loopback", "::ffff:127.0.0.1"],
  ["mapped private", "::ffff:a00:1"],
  ["IPv4-compatible loopback", "::7f00:1"],
  ["translated loopback", "::ffff:0:127.0.0.1"],
  ["NAT64 of private", "64:ff9b::10.0.0.1"],
  ["NAT64 of link-local", "64:ff9b::a9fe:a9fe"],
  ["local NAT64", "64:ff9b:1::808:808"],
  ["6to4 of loopback", "2002:7f00:1::"],
  ["6to4 of private", "2002:c0a8:101::1"],
  ["Teredo", "2001:0:4136:e378:8000:63bf:3fff:fdd2"],
  ["no address", "localhost"],
  ["no address", ""],
])("%s is not public: %s", (_, address) => expect(isPublicAddress(address)).toBe(false));

const parse = (url: string, allowPrivate = false) => parseOutboundUrl(url, { allowPrivate });

test.each([
  "http://127.0.0.1/",
  "http://127.1/",
  "http://2130706433/",
  "http://0x7f000001/",
  "http://0x7f.0.0.1/",
  "http://0177.0.0.1/",
  "http://017700000001/",
  "http://127.0.0.1:8000/hooks",
  "http://127。0。0。1/",
  "http://①②⑦.⓪.⓪.①/",
  "http://%31%32%37.0.0.1/",
  "http://0/",
  "http://10.1/",
  "http://169.254.169.254/latest/meta-data/",
  "http://[::1]/",
  "http://[::]/",
  "http://[::ffff:127.0.0.1]/",
  "http://[::ffff:7f00:1]/",
  "http://[fe80::1]/",
  "http://[fd12::1]:80/",
  "http://[64:ff9b::7f00:1]/",
  "http://[2002:7f00:1::]/",
  "http://localhost/",
  "https://LOCALHOST:8443/",
  "http://api.localhost/",
])("%s is refused, and let through where private URLs are allowed", (url) => {
  expect(() => parse(url)).toThrow("not on the public Internet");
  expect(parse(url, true)).toBeInstanceOf(URL);
});

test.each([
  ["ftp://example.com/", "only https and http"],
  ["file:///etc/passwd", "only https and http"],
  ["gopher://example.com/", "only https and http"],
  ["javascript:alert(1)", "only https and http"],
  ["unix:/run/docker.sock", "only https and http"],
  ["http://user@example.com/", "user name or password"],
  ["http://user:secret@example.com/", "user name or password"],
  ["http://example.com@127.0.0.1/", "user name or password"],
  ["http://example.com./", "end with a dot"],
  ["http://localhost./", "end with a dot"],
  ["http://127.0.0.1./", "not on the public Internet"],
  ["//example.com/", "not an absolute URL"],
  ["example.com", "not an absolute URL"],
  ["http://", "not an absolute URL"],
  ["http://256.256.256.256/", "not an absolute URL"],
  ["http://[fe80::1%25eth0]/", "not an absolute URL"],
])("%s is refused: %s", (url, why) => {
  expect(() => parse(url)).toThrow(why);
  expect(() => parse(url)).toThrow(OutboundUrlError);
  if (!why.startsWith("not on")) expect(() => parse(url, true)).toThrow(why);
});

test.each([
  "https://example.com/",
  "http://example.com:22/a?b=c",
  "https://8.8.8.8/",
  "https://[2606:4700::1111]:8443/",
  "https://localhost.example.com/",
])("%s is accepted", (url) => expect(parse(url).href).toBe(url));
