// Asks the engine of an editor about a configuration file, as the editor would when it is opened.
//   node ask.mjs FILE < questions
// The questions are {"completion": [POSITION...], "hover": [POSITION...]}, positions {"line", "character"} count from 0. The
// answer is {"diagnostics": [{"line", "character", "message"}...], "completion": [[LABEL...]...], "hover": [TEXT...]}.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const file = path.resolve(process.argv[2]);
const questions = JSON.parse(fs.readFileSync(0, "utf8"));
const engine = file.endsWith(".json") ? "./json.mjs" : "./toml.mjs";
const { ask } = await import(engine);
// An engine that does not answer must not keep a test for ever.
setTimeout(() => { console.error("no answer for two minutes"); process.exit(1); }, 120_000).unref();
const answer = await ask(pathToFileURL(file).href, fs.readFileSync(file, "utf8"), questions);
fs.writeSync(1, JSON.stringify(answer));
// The engine for TOML leaves timers behind.
process.exit(0);
