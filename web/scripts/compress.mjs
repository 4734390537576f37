// Puts each file's compressed forms beside it, so that the gateway compresses nothing while it serves.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

// Pictures and fonts are compressed already.
const TEXT = /\.(css|html|js|json|map|svg|txt|webmanifest)$/;
const PAGE = "index.html";

const dist = new URL("../dist/", import.meta.url);
const files = readdirSync(dist, { recursive: true })
  .map((name) => name.replaceAll("\\", "/"))
  .filter((name) => TEXT.test(name) && name !== PAGE && !name.startsWith("."));
for (const name of files) {
  const content = readFileSync(new URL(name, dist));
  const forms = {
    br: brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: content.length } }),
    gz: gzipSync(content, { level: 9 }),
  };
  for (const [ending, form] of Object.entries(forms)) {
    if (form.length < content.length) writeFileSync(new URL(`${name}.${ending}`, dist), form);
  }
}
