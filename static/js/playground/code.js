// The same call as a program would make it.
const KEY = "BROKLE_API_KEY";

export function showCode(dialog, body, base) {
  const texts = [curl(body, base), python(body, base), javascript(body, base)];
  dialog.querySelectorAll(".code").forEach((block, place) => {
    block.querySelector("code").textContent = texts[place];
    block.querySelector("[data-copy]").dataset.copy = texts[place];
  });
  dialog.showModal();
}

function curl(body, base) {
  const data = JSON.stringify(body, null, 2).replaceAll("'", "'\\''");
  return [
    `curl ${base}/v1/chat/completions \\`,
    `  -H "Authorization: Bearer $${KEY}" \\`,
    `  -H "Content-Type: application/json" \\`,
    `  -d '${data}'`,
  ].join("\n");
}

function python(body, base) {
  const given = Object.entries(body).map(([name, value]) => `    ${name}=${literal(value, "    ")},`);
  return [
    "import os",
    "from openai import OpenAI",
    "",
    `client = OpenAI(base_url="${base}/v1", api_key=os.environ["${KEY}"])`,
    "reply = client.chat.completions.create(",
    ...given,
    ")",
    "print(reply.choices[0].message.content)",
  ].join("\n");
}

/** JSON's texts and numbers are Python's too; its other words are not. */
function literal(value, indent) {
  const deeper = `${indent}    `;
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "object") return JSON.stringify(value);
  const [open, close, inner] = Array.isArray(value)
    ? ["[", "]", value.map((one) => literal(one, deeper))]
    : ["{", "}", Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${literal(one, deeper)}`)];
  return inner.length ? `${open}\n${inner.map((one) => `${deeper}${one},`).join("\n")}\n${indent}${close}` : open + close;
}

function javascript(body, base) {
  const given = JSON.stringify(body, null, 2).replace(/^( *)"([A-Za-z_]\w*)":/gm, "$1$2:");
  return [
    'import OpenAI from "openai";',
    "",
    `const client = new OpenAI({ baseURL: "${base}/v1", apiKey: process.env.${KEY} });`,
    `const reply = await client.chat.completions.create(${given});`,
    "console.log(reply.choices[0].message.content);",
  ].join("\n");
}
