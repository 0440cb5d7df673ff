import ts from 'typescript';

/**
 * What the compiler says of the files alone, a line each: `wrong.ts(4,7): error TS2769: …`. What they import is read, and checked by
 * `npm run typecheck`.
 */
export function compileErrors(files: readonly string[], options: ts.CompilerOptions = {}): string[] {
  const { config } = ts.readConfigFile('tsconfig.json', ts.sys.readFile);
  const { options: own } = ts.parseJsonConfigFileContent(config, ts.sys, process.cwd());
  const program = ts.createProgram([...files], {
    ...own,
    allowJs: false,
    checkJs: false,
    rewriteRelativeImportExtensions: false,
    allowImportingTsExtensions: true,
    noEmit: true,
    ...options,
  });
  const found = files.flatMap((file) => {
    const source = program.getSourceFile(file);
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
  });
  const host = {
    getCurrentDirectory: () => process.cwd(),
    getCanonicalFileName: (name: string) => name,
    getNewLine: () => '\n',
  };
  return [...program.getOptionsDiagnostics(), ...found].map((one) => ts.formatDiagnostic(one, host).trim());
}
