// What VS Code does with a JSON file: the schema is found through its `$schema`, relative to the file.
import fs from "node:fs";
import { fileURLToPath } from "node:url";
import { getLanguageService } from "vscode-json-languageservice";
import { TextDocument } from "vscode-languageserver-textdocument";

export async function ask(uri, text, questions) {
  const service = getLanguageService({
    schemaRequestService: async (schema) => fs.readFileSync(fileURLToPath(schema), "utf8"),
    workspaceContext: { resolveRelativePath: (relative, base) => new URL(relative, base).href },
  });
  service.configure({ validate: true, allowComments: false });
  const document = TextDocument.create(uri, "json", 1, text);
  const parsed = service.parseJSONDocument(document);
  const plain = (contents) => [contents ?? ""].flat().map((c) => c.value ?? c).join("\n");
  const found = await service.doValidation(document, parsed);
  const completion = [];
  for (const at of questions.completion ?? []) {
    completion.push(((await service.doComplete(document, at, parsed))?.items ?? []).map((i) => i.label));
  }
  const hover = [];
  for (const at of questions.hover ?? []) hover.push(plain((await service.doHover(document, at, parsed))?.contents));
  return { diagnostics: found.map((d) => ({ ...d.range.start, message: d.message })), completion, hover };
}
