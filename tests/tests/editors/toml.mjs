// What VS Code does with a TOML file when Even Better TOML is installed: its language server with the settings that the
// extension has from the start.
import fs from "node:fs";
import path from "node:path";
import lsp from "@taplo/lsp";

const SETTINGS = {
  schema: { enabled: true, links: false, catalogs: [], associations: {}, cache: { memoryExpiration: 60, diskExpiration: 600 } },
  taplo: { configFile: { enabled: false, path: "" } },
  completion: { maxKeys: 5 },
  syntax: { semanticTokens: false },
};

// No catalogue of schemas on the net is asked: a configuration brings its own.
globalThis.fetch = async () => Promise.reject(new Error("no net"));

// The server asks for what WebAssembly has no access to.
const ENVIRONMENT = {
  cwd: () => process.cwd(),
  envVar: (name) => process.env[name],
  envVars: () => Object.entries(process.env),
  findConfigFile: () => undefined,
  glob: () => [],
  isAbsolute: (p) => path.isAbsolute(p),
  isWindows: () => false,
  now: () => new Date(),
  readFile: (p) => fs.promises.readFile(p),
  writeFile: (p, bytes) => fs.promises.writeFile(p, bytes),
  stderr: process.stderr,
  stdErrAtty: () => false,
  stdin: process.stdin,
  stdout: process.stderr,
  urlToFilePath: (url) => decodeURIComponent(url).slice("file://".length),
  fetch: { fetch, Headers, Request, Response },
};

export async function ask(uri, text, questions) {
  const waiting = new Map();
  let found;
  let associated = false;
  const published = [];
  const server = await lsp.TaploLsp.initialize(ENVIRONMENT, {
    onMessage(message) {
      if (message.method === "workspace/configuration") {
        server.send({ jsonrpc: "2.0", id: message.id, result: message.params.items.map(() => SETTINGS) });
      } else if (message.method === "textDocument/publishDiagnostics") {
        published.push(message.params.diagnostics);
      } else if (message.method === "taplo/didChangeSchemaAssociation") {
        associated ||= Boolean(message.params.schemaUri);
      } else if (message.method && message.id !== undefined) {
        server.send({ jsonrpc: "2.0", id: message.id, result: null });
      } else if (waiting.has(message.id)) {
        waiting.get(message.id)(message);
      }
    },
  });
  let last = 0;
  const request = (method, params) =>
    new Promise((resolve, reject) => {
      const id = ++last;
      waiting.set(id, (m) => (m.error ? reject(new Error(`${method}: ${JSON.stringify(m.error)}`)) : resolve(m.result)));
      server.send({ jsonrpc: "2.0", id, method, params });
    });
  const notify = (method, params) => server.send({ jsonrpc: "2.0", method, params });

  const folder = new URL(".", uri).href;
  const capabilities = { workspace: { configuration: true }, textDocument: { hover: { contentFormat: ["markdown"] } } };
  await request("initialize", {
    processId: null,
    rootUri: folder,
    workspaceFolders: [{ uri: folder, name: "folder" }],
    capabilities,
    initializationOptions: { configurationSection: "evenBetterToml" },
  });
  notify("initialized", {});
  notify("textDocument/didOpen", { textDocument: { uri, languageId: "toml", version: 1, text } });

  // Diagnostics come when the server has them: first those of the syntax, then those of the schema. Nothing more for a while
  // means that these were all.
  const quiet = async () => {
    for (let count = -1, still = 0; still < 8; ) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      still = count === published.length && published.length > 0 ? still + 1 : 0;
      count = published.length;
    }
  };
  await quiet();
  found = published.at(-1);

  const completion = [];
  for (const position of questions.completion ?? []) {
    const answer = await request("textDocument/completion", { textDocument: { uri }, position });
    completion.push((answer?.items ?? answer ?? []).map((i) => i.label));
  }
  const hover = [];
  for (const position of questions.hover ?? []) {
    const contents = (await request("textDocument/hover", { textDocument: { uri }, position }))?.contents ?? "";
    hover.push([contents].flat().map((c) => c.value ?? c).join("\n"));
  }
  return { associated, diagnostics: found.map((d) => ({ ...d.range.start, message: d.message })), completion, hover };
}
