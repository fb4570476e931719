// Builds static/dist from static/css, static/js, npm fonts and icons. Run by `python -m brokle.web.build_assets`.
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import { build } from "esbuild";
import subsetFont from "subset-font";

const ROOT = dirname(fileURLToPath(import.meta.url));
const DIST = join(ROOT, "static", "dist");
const PACKAGES = join(ROOT, "node_modules");
const CACHE = join(PACKAGES, ".cache", "brokle");

const span = (from, to) => String.fromCodePoint(...Array.from({ length: to - from + 1 }, (_, i) => from + i));
const ASCII = span(0x20, 0x7e);
const LATIN = ASCII + "\u00a0·×–—‘’“”…←→−⌘";
const ARABIC = "ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىي،؛؟ـًٌٍَُِّْ";
const ARABIC_SHAPING = ["init", "medi", "fina", "isol", "rlig", "ccmp", "mark"];
const arabic = (weight) => `@fontsource/ibm-plex-sans-arabic/files/ibm-plex-sans-arabic-arabic-${weight}-normal.woff2`;

// What first paint needs is cut to the letters the console speaks; *-rest faces hold every other letter and load on demand.
const FONTS = {
  "inter": { file: "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2", text: LATIN, features: ["kern", "tnum", "ccmp"], axes: { wght: { min: 400, max: 650 } } },
  "inter-rest": { file: "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2" },
  "inter-extended": { file: "@fontsource-variable/inter/files/inter-latin-ext-wght-normal.woff2" },
  "arabic-400": { file: arabic(400), text: ARABIC, features: ARABIC_SHAPING },
  "arabic-600": { file: arabic(600), text: ARABIC, features: ARABIC_SHAPING },
  "arabic-rest": { file: arabic(400) },
  "mono": { file: "@fontsource/jetbrains-mono/files/jetbrains-mono-latin-400-normal.woff2", text: ASCII + "·…→−", features: [] },
};
const PRELOAD = { en: ["inter"], ar: ["arabic-400", "arabic-600", "inter"] };

async function fontFile(name) {
  const { file, text, features, axes } = FONTS[name];
  const source = await readFile(join(PACKAGES, file));
  const recipe = createHash("sha256").update(source).update(JSON.stringify([text, features, axes])).digest("hex").slice(0, 16);
  const cached = join(CACHE, recipe, `${name}.woff2`);
  if (await stat(cached).catch(() => null)) return cached;
  const cut = text === undefined ? source
    : await subsetFont(source, text, { targetFormat: "woff2", keepFeatures: features, variationAxes: axes, noHinting: true });
  await mkdir(dirname(cached), { recursive: true });
  await writeFile(cached, cut);
  return cached;
}

const fonts = {
  name: "fonts",
  setup(bundle) {
    bundle.onResolve({ filter: /^font:/ }, async ({ path }) => ({ path: await fontFile(path.slice(5)) }));
  },
};

// "system" follows the browser: the dark tokens once more, inside the media query, so that they are written once.
const systemTheme = {
  name: "system-theme",
  setup(bundle) {
    bundle.onLoad({ filter: /tokens\.css$/ }, async ({ path }) => {
      const tokens = await readFile(path, "utf8");
      const dark = tokens.match(/\[data-theme="dark"\]\s*(\{[^}]*\})/);
      if (!dark) throw new Error("tokens.css has no [data-theme=\"dark\"] block");
      return { loader: "css", contents: `${tokens}\n@media (prefers-color-scheme: dark) { [data-theme="system"] ${dark[1]} }` };
    });
  },
};

async function icons() {
  const names = (await readFile(join(ROOT, "static", "icons.txt"), "utf8")).split("\n").map((line) => line.trim()).filter(Boolean);
  const shapes = await Promise.all(names.map(async (name) => {
    const svg = await readFile(join(PACKAGES, "lucide-static", "icons", `${name}.svg`), "utf8")
      .catch(() => { throw new Error(`static/icons.txt names ${name}, which Lucide does not have`); });
    return [name, svg.replace(/^[\s\S]*?<svg[\s\S]*?>\s*|\s*<\/svg>\s*$/g, "").replace(/\s*\n\s*/g, "")];
  }));
  return Object.fromEntries(shapes);
}

async function bundle() {
  return build({
    absWorkingDir: ROOT,
    entryPoints: ["js/console.js", "css/console.css", "css/gateway.css", "css/gallery.css", "js/playground.js", "css/playground.css"].map((name) => `static/${name}`),
    outdir: DIST,
    bundle: true, minify: true, splitting: true, metafile: true, format: "esm", charset: "utf8", legalComments: "none",
    entryNames: "[name]-[hash]", chunkNames: "[name]-[hash]", assetNames: "[name]-[hash]",
    loader: { ".woff2": "file" },
    target: ["chrome120", "firefox121", "safari17.2"],
    plugins: [fonts, systemTheme],
    logLevel: "warning",
  });
}

function outputs(metafile) {
  const entries = {}, faces = {}, files = [];
  for (const [path, output] of Object.entries(metafile.outputs)) {
    const file = relative(DIST, join(ROOT, path)).split(sep).join("/");
    files.push(file);
    if (output.entryPoint) entries[basename(output.entryPoint)] = `dist/${file}`;
    else if (file.endsWith(".woff2")) faces[file.replace(/-[A-Z0-9]{8}\.woff2$/, "")] = `dist/${file}`;
  }
  return { entries, faces, files };
}

async function compress(file) {
  if (file.endsWith(".woff2")) return [];
  const path = join(DIST, file);
  const body = await readFile(path);
  await writeFile(`${path}.gz`, await promisify(gzip)(body, { level: 9 }));
  await writeFile(`${path}.br`, await promisify(brotliCompress)(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
  return [`${file}.gz`, `${file}.br`];
}

async function main() {
  await mkdir(DIST, { recursive: true });
  const [{ metafile }, shapes] = await Promise.all([bundle(), icons()]);
  const { entries, faces, files } = outputs(metafile);
  const compressed = (await Promise.all(files.map(compress))).flat();
  const preload = Object.fromEntries(Object.entries(PRELOAD).map(([language, names]) => [language, names.map((name) => faces[name])]));
  // The manifest is switched last and old files go after it: a page being served never names a missing file.
  await writeFile(join(DIST, "manifest.next"), JSON.stringify({ entries, preload, icons: shapes }));
  await rename(join(DIST, "manifest.next"), join(DIST, "manifest.json"));
  const kept = new Set([...files, ...compressed, "manifest.json"]);
  const stale = (await readdir(DIST)).filter((name) => !kept.has(name) && !name.startsWith("."));
  await Promise.all(stale.map((name) => rm(join(DIST, name), { recursive: true })));
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
