// The API's description, read from openapi.json and set as tables: nothing comes from elsewhere.
const make = (name, text = "", ...children) => {
  const element = Object.assign(document.createElement(name), { textContent: text });
  element.append(...children);
  return element;
};
document.documentElement.dataset.look = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
document.querySelector("#example").textContent =
  `from openai import OpenAI\n\nclient = OpenAI(base_url="${new URL("v1", location)}", api_key="tavu")\nprint(client.completions.create(model=client.models.list().data[0].id, prompt="Once upon a time", max_tokens=400, seed=1).choices[0].text)`;

const document_ = await (await fetch("openapi.json")).json();
const resolve = (schema) => (schema?.$ref ? document_.components.schemas[schema.$ref.split("/").pop()] : schema);
const kind = (schema) => schema.enum?.join(", ") ?? schema.const ?? schema.$ref?.split("/").pop() ?? schema.anyOf?.map(kind).filter((name) => name !== "null").join(" or ") ?? (schema.type === "array" ? `list of ${kind(schema.items)}` : schema.type ?? "");
const bounds = (schema) => Object.entries({ "at least": schema.minimum, above: schema.exclusiveMinimum, "at most": schema.maximum, below: schema.exclusiveMaximum, "characters at most": schema.maxLength })
  .filter(([, value]) => value !== undefined).map(([name, value]) => `${name} ${value}`).join(", ");
const all = (schema) => [bounds(schema), ...(schema.anyOf ?? []).map(bounds)].filter(Boolean).join("; ");

function table(schema) {
  const rows = Object.entries(schema.properties).map(([name, field]) => {
    const told = [kind(field), all(field)].filter(Boolean).join("; ");
    return make("tr", "", make("th", "", make("code", name)), make("td", told), make("td", field.description ?? ""));
  });
  return make("table", "", make("tbody", "", ...rows));
}

for (const [path, methods] of Object.entries(document_.paths))
  for (const [method, operation] of Object.entries(methods)) {
    const body = resolve(operation.requestBody?.content["application/json"].schema);
    document.querySelector("#paths").append(make("h2", "", make("code", `${method.toUpperCase()} ${path}`)), make("p", operation.description ?? ""), ...(body ? [table(body)] : []));
  }
for (const name of ["StoryRequest", "Obeyed", "Message"])
  document.querySelector("#paths").append(make("h2", name), table(document_.components.schemas[name]));
