// helper.js: a client of store.py. Requests come on standard input, answers go to standard output.
const http = require("node:http");
const readline = require("node:readline");

const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function ask(request, method, path, body) {
  return new Promise((resolve, reject) => {
    const [host, port] = request.address.split(":");
    const text = body === undefined ? "" : JSON.stringify(body);
    const headers = { "content-length": Buffer.byteLength(text) };
    const asked = http.request({ agent, host, port, method, path, headers }, (answer) => {
      let received = "";
      answer.on("data", (bytes) => (received += bytes));
      answer.on("error", reject);
      answer.on("end", () => resolve([answer.statusCode, received]));
    });
    asked.setTimeout(request.deadline_ms, () => asked.destroy(new Error("timeout")));
    asked.on("error", reject);
    asked.end(text);
  });
}

async function perform(request) {
  const read = request.f === "read";
  const [status, text] = read
    ? await ask(request, "GET", `/api/items/${request.key}`)
    : await ask(request, "POST", "/api/items", { id: request.key, val: request.value });
  if (read && status === 200) return { type: "ok", value: JSON.parse(text).val };
  if (read && status === 404 && JSON.parse(text).error === "no such item") return { type: "ok", value: null };
  if (!read && status === 201) return { type: "ok" };
  return { type: "info", error: `http-${status}` };
}

readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  const request = JSON.parse(line);
  // A refused connection carried nothing; after any other error the operation may have happened.
  const failed = (error) => ({ type: error.code === "ECONNREFUSED" ? "fail" : "info", error: error.code || error.message });
  console.log(JSON.stringify({ id: request.id, ...(await perform(request).catch(failed)) }));
});
