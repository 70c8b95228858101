// fields: a line that is JSON, as names and values.
//
// Names of objects within each other are joined by dots, as the server's `field` has them; what is a list, or too deep,
// is a value, which can be read but not filtered by. Numbers are shown as the line has them only as far as JavaScript
// can hold them: an id beyond 2^53 is taken from the text.

const DEPTH = 4;
const COUNT = 200; // of a line

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/** The object that a line is, or nothing. */
export function objectOf(text) {
  if (!text.startsWith("{")) return undefined;
  try {
    const value = JSON.parse(text, (_, one, context) => (
      typeof one === "number" && !Number.isSafeInteger(one) && context?.source ? context.source : one));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** `{ name, value, filters }` of each field: the value as text, and whether lines can be filtered by it. */
export function fieldsOf(object, prefix = "", depth = 1, fields = []) {
  for (const [key, value] of Object.entries(object)) {
    if (fields.length >= COUNT) break;
    const name = prefix + key;
    if (isObject(value) && depth < DEPTH && Object.keys(value).length > 0) fieldsOf(value, `${name}.`, depth + 1, fields);
    else {
      const text = typeof value === "string" ? value : JSON.stringify(value);
      fields.push({ name, value: text, filters: typeof value !== "object" && !key.includes(".") });
    }
  }
  return fields;
}

const messages = ["msg", "message", "event", "text"];
const told = new Set(["level", "severity", "lvl", "time", "timestamp", "ts", "@timestamp", "t", "date"]); // by other columns

/** What a line says, and the fields beside it that the row does not show otherwise. */
export function summaryOf(object) {
  const said = messages.find((name) => typeof object[name] === "string");
  const fields = fieldsOf(object).filter(({ name }) => name !== said && !told.has(name));
  return { message: said === undefined ? "" : object[said], fields };
}
