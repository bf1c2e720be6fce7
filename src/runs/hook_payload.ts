import { BadRequestError } from "../errors.ts";
import { decodeUtf8, parseJsonText } from "./json_text.ts";

/**
 * The JSON of a delivery, whatever its content type is: GitHub's default is a form with the JSON in `payload`, and a
 * client such as curl calls plain JSON a form. Values that nobody maps may be whatever JSON can say.
 * @throws {BadRequestError} without quoting the body
 */
export function parsePayload(body: Uint8Array, contentType: string | undefined): unknown {
  const text = decodeUtf8(body);
  const isForm = /^\s*application\/x-www-form-urlencoded\s*(?:;|$)/i.test(contentType ?? "");
  // No form begins with a brace: it would be percent-encoded.
  return parseJsonText(isForm && !/^\s*[{[]/.test(text) ? payloadField(text) : text);
}

function payloadField(form: string): string {
  const payloads = new URLSearchParams(form).getAll("payload");
  if (payloads.length !== 1 || payloads[0] === "") {
    const found = payloads.length > 1 ? `${payloads.length} of them` : payloads.length === 1 ? "an empty one" : "none";
    throw new BadRequestError(`a form delivers its JSON in one field named payload; this one has ${found}`);
  }
  return payloads[0];
}
