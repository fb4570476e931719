// Calls the method of OpenAI's library for JavaScript that it is told, with what it is given.
import { createInterface } from "node:readline";

import OpenAI, { toFile } from "openai";

const client = new OpenAI({ baseURL: process.env.JUDGE_URL, apiKey: process.env.JUDGE_KEY, maxRetries: 0 });

const runTools = async ({ body, results }) => {
  const asked = [];
  const function_ = (tool) => ({
    type: "function",
    function: {
      ...tool,
      parse: JSON.parse,
      function: (given) => {
        asked.push(given);
        return results;
      },
    },
  });
  const runner = client.chat.completions.runTools({ ...body, tools: body.tools.map(function_) });
  return { value: { asked, said: await runner.finalContent() } };
};

const call = async (verb, { body, key, stop_after: stopAfter }) => {
  const path = verb.split(".");
  const method = path.pop();
  const asking = key ? client.withOptions({ apiKey: key }) : client;
  const resource = path.reduce((found, name) => found[name], asking);
  if (body.file) body.file = await toFile(Buffer.from(body.file.text), body.file.name);
  if (method === "parse" || method === "retrieve") return { value: await resource[method](body) };
  const { data, response } = await resource[method](body).withResponse();
  const headers = Object.fromEntries(response.headers);
  if (data instanceof Response) {
    return { value: Buffer.from(await data.arrayBuffer()).toString("base64"), headers };
  }
  return { value: body.stream ? await pieces(data, stopAfter) : data, headers };
};

const pieces = async (stream, stopAfter = Infinity) => {
  const found = [];
  for await (const piece of stream) {
    found.push(piece);
    if (found.length === stopAfter) break;
  }
  return found;
};

const refusal = (error) => ({
  refused: error.constructor.name,
  message: error.message,
  status: error.status,
  code: error.code,
  type: error.type,
  param: error.param,
  request_id: error.requestID,
  headers: Object.fromEntries(error.headers ?? []),
});

for await (const line of createInterface({ input: process.stdin })) {
  const { verb, given } = JSON.parse(line);
  const answer = await (verb === "run tools" ? runTools(given) : call(verb, given)).catch(refusal);
  process.stdout.write(JSON.stringify(answer) + "\n");
}
process.exit(); // connections kept alive would be waited for
