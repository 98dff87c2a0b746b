// Reads a stream of parts: the sizes of JSON and data (4 bytes each, big-endian), JSON, data.

const decoder = new TextDecoder();

// Calls `take(news, data)` with every part (data: bytes, or null) and `beat()` with everything that arrives.
export async function readParts(body, take, beat) {
  const reader = body.getReader();
  let held = new Uint8Array(0);
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    beat();
    const joined = new Uint8Array(held.length + value.length);
    joined.set(held);
    joined.set(value, held.length);
    held = joined;
    while (held.length >= 8) {
      const sizes = new DataView(held.buffer, held.byteOffset);
      const [json, data] = [8 + sizes.getUint32(0), sizes.getUint32(4)];
      if (held.length < json + data) break;
      take(JSON.parse(decoder.decode(held.subarray(8, json))), data ? held.slice(json, json + data) : null);
      held = held.slice(json + data);
    }
  }
}
