// tests/lint/powershell.cjs - prints where PowerShell scripts cannot be parsed: NODE_PATH=… node powershell.cjs FILE…
const fs = require("fs");
const path = require("path");
const { Parser, Language } = require("web-tree-sitter");

function report(file, node) {
  const { row, column } = node.startPosition;
  const said = node.isMissing ? `${node.type} is missing` : `cannot be parsed from here on: ${node.text.split("\n")[0].slice(0, 60)}`;
  console.log(`${file}:${row + 1}:${column + 1}: ${said}`);
}

function walk(file, node) {
  if (node.isError || node.isMissing) {
    report(file, node);
    return 1;
  }
  return node.hasError ? node.children.reduce((count, child) => count + walk(file, child), 0) : 0;
}

async function main() {
  await Parser.init();
  const grammar = path.dirname(require.resolve("tree-sitter-powershell/package.json"));
  const parser = new Parser();
  parser.setLanguage(await Language.load(path.join(grammar, "tree-sitter-powershell.wasm")));
  const wrong = process.argv.slice(2).reduce((count, file) => count + walk(file, parser.parse(fs.readFileSync(file, "utf8")).rootNode), 0);
  process.exitCode = wrong ? 1 : 0;
}

main();
