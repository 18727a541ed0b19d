/* As much of Python as a graph is written in: def, return, with, if, for, assignments, calls, operators. Text becomes
 * closures, without eval, and each error names its line. (Parsers that exist, Lezer's and tree-sitter's, give a syntax
 * tree and no interpreter, mend wrong text in silence, and are ten times as long as this file.) */

const TOKEN = new RegExp(
  [
    /(\d[\d_]*\.?\d*(?:e[-+]?\d+)?|\.\d+(?:e[-+]?\d+)?)/, // a number
    /("""[^]*?"""|"[^"\n]*"|'[^'\n]*')/, // a string
    /([A-Za-z_]\w*)/, // a name
    /(\.\.\.|\*\*=?|\/\/=?|->|[-+*/=!<>]=|[-+*/%@()[\]{},.:=<>])/, // a sign
    /(#.*)|([ \t]+|\\\n)|(\n)/, // a comment, space, the end of a line
  ].map((part) => part.source).join("|"),
  "y",
);

export class PythonError extends Error {
  constructor(line, message) {
    super(message);
    this.line = line;
  }
}

/** Tokens {kind, value, line}: number, string, name, newline, indent, dedent, end, or a keyword or sign itself. */
function tokenize(text) {
  const [tokens, indents] = [[], [0]];
  let [line, depth, fresh] = [1, 0, true]; // fresh: at the start of a line, where spaces mean something
  const put = (kind, value) => tokens.push({ kind, value, line });
  const sticky = new RegExp(TOKEN); // with a place of its own
  while (sticky.lastIndex < text.length) {
    const at = sticky.lastIndex;
    const found = sticky.exec(text);
    const rest = text.slice(at);
    if (!found) throw new PythonError(line, `SyntaxError: invalid syntax at ${rest.split("\n")[0].slice(0, 12)}`);
    const [all, number, string, name, sign, , space, newline] = found;
    if (fresh && depth === 0 && !newline && !/^[ \t]*(#|\n|$)/.test(rest)) {
      const indent = space ? all.length : 0;
      if (indent > indents.at(-1)) (indents.push(indent), put("indent"));
      while (indent < indents.at(-1)) (indents.pop(), put("dedent"));
      const says = "IndentationError: unindent does not match any outer indentation level";
      if (indent !== indents.at(-1)) throw new PythonError(line, says);
      fresh = false;
    }
    if (newline && depth === 0) {
      if (!fresh) put("newline");
      fresh = true;
    } else if (number) put("number", Number(number.replaceAll("_", "")));
    else if (string) put("string", string.replace(/^("""|"|')|("""|"|')$/g, ""));
    else if (name) put(KEYWORDS.includes(name) ? name : "name", name);
    else if (sign) {
      put(sign, sign);
      depth += "([{".includes(sign) ? 1 : ")]}".includes(sign) ? -1 : 0;
    }
    line += all.split("\n").length - 1;
  }
  if (!fresh) put("newline");
  while (indents.pop() > 0) put("dedent");
  put("end");
  return tokens;
}

const UNSUPPORTED =
  "is while class lambda import from try except raise assert global nonlocal yield async await del".split(" ");
const SUPPORTED = "def return with as if elif else for in not and or pass None True False".split(" ");
const KEYWORDS = [...SUPPORTED, ...UNSUPPORTED];
const EQUAL = { "==": "equal", "!=": "not_equal" };
const COMPARE = { ...EQUAL, "<": "less", "<=": "less_equal", ">": "greater", ">=": "greater_equal" };
const ADDED = { "+": [1, "add"], "-": [1, "subtract"] };
const TIMES = { "*": [2, "multiply"], "/": [2, "divide"], "//": [2, "floordiv"], "%": [2, "mod"], "@": [2, "matmul"] };
const BINARY = { ...ADDED, ...TIMES, "**": [4, "pow"] }; // how closely each binds, and its operation

/** Text to a function of a map of names that runs it and adds the names it makes. Operators say what + and the like do:
 * binary(name, a, b), negative, truth, attribute, item, call, spread, and dictionary. */
export function compile(text, operators) {
  const tokens = tokenize(text);
  let at = 0;
  const peek = (kind) => tokens[at].kind === kind;
  const skip = (kind) => peek(kind) && tokens[at++];
  const fail = (message) => {
    const { kind, value, line } = tokens[at];
    if (UNSUPPORTED.includes(kind)) throw new PythonError(line, `"${kind}" is not in this page's Python`);
    if (kind === "indent") throw new PythonError(line, "IndentationError: unexpected indent");
    const found = value ?? "the end of the line";
    throw new PythonError(line, `SyntaxError: ${message}, not ${found}`);
  };
  const take = (kind) => skip(kind) || fail(`${kind} is expected here`);

  /** Does something of a line; an error of its own gets the line's number. */
  function onLine(line, work) {
    try {
      return work();
    } catch (error) {
      if (error instanceof RangeError) throw new PythonError(line, "RecursionError: maximum recursion depth exceeded");
      throw error instanceof PythonError ? error : new PythonError(line, error.message);
    }
  }
  const lined = (line, work) => (scope) => onLine(line, () => work(scope));

  /** Arguments, or what brackets hold: {value, stars: 0 to 2, named}. */
  function items(close) {
    const list = [];
    while (!skip(close)) {
      const stars = skip("*") ? 1 : skip("**") ? 2 : 0;
      const named = peek("name") && tokens[at + 1].kind === "=" && tokens[at].value;
      if (named) at += 2;
      list.push({ stars, named, value: expression() });
      if (!peek(close)) take(",");
    }
    return list;
  }
  const spread = (list, scope) =>
    list.flatMap(({ stars, value }) => (stars ? operators.spread(value(scope)) : [value(scope)]));

  function atom() {
    const { kind, value, line } = tokens[at];
    if (kind === "number" || kind === "string") return ((at += 1), () => value);
    if (kind === "...") return ((at += 1), () => operators.ellipsis);
    if (skip("None")) return () => null;
    if (skip("True")) return () => true;
    if (skip("False")) return () => false;
    if (skip("name")) return (scope) => lookUp(scope, value, line);
    if (skip("{")) return dictionary();
    if (skip("(") || skip("[")) {
      const list = items(kind === "(" ? ")" : "]");
      const grouped = kind === "(" && list.length === 1 && tokens[at - 2].kind !== "," && !list[0].stars;
      return grouped ? list[0].value : (scope) => spread(list, scope);
    }
    return fail("a value is expected here");
  }

  function lookUp(scope, name, line) {
    for (let inner = scope; inner; inner = inner.outer) if (inner.names.has(name)) return inner.names.get(name);
    if (name === "locals") return () => operators.dictionary(scope.names);
    const known = [];
    for (let inner = scope; inner; inner = inner.outer) known.push(...inner.names.keys());
    throw new PythonError(line, `NameError: name '${name}' is not defined${operators.suggest(name, known)}`);
  }

  function dictionary() {
    const pairs = [];
    while (!skip("}")) {
      const key = expression();
      take(":");
      pairs.push([key, expression()]);
      if (!peek("}")) take(",");
    }
    return (scope) => operators.dictionary(new Map(pairs.map(([key, value]) => [key(scope), value(scope)])));
  }

  /** x[i], x[:, 1:3]: for each dimension a number, a slice, or an ellipsis. */
  function index() {
    const bound = () => (peek(":") || peek("]") || peek(",") ? () => null : expression());
    const part = () => {
      const first = bound();
      if (!skip(":")) return first;
      const last = bound();
      return (scope) => ({ slice: [first(scope), last(scope)] });
    };
    const parts = [part()];
    while (skip(",")) parts.push(part());
    take("]");
    return (scope) => parts.map((one) => one(scope));
  }

  function primary() {
    let value = atom();
    for (;;) {
      const [{ line }, before] = [tokens[at], value];
      if (skip(".")) {
        const name = take("name").value;
        value = lined(line, (scope) => operators.attribute(before(scope), name));
      } else if (skip("(")) {
        const list = items(")");
        const unnamed = list.filter((item) => !item.named && item.stars < 2);
        value = lined(line, (scope) => {
          const named = {};
          for (const item of list) {
            if (item.named) named[item.named] = item.value(scope);
            if (item.stars === 2) Object.assign(named, Object.fromEntries(operators.pairs(item.value(scope))));
          }
          return operators.call(before(scope), spread(unnamed, scope), named);
        });
      } else if (skip("[")) {
        const chosen = index();
        value = lined(line, (scope) => operators.item(before(scope), chosen(scope)));
      } else return value;
    }
  }

  function unary() {
    const { line } = tokens[at];
    if (skip("+")) return unary();
    if (!skip("-")) return primary();
    const value = arithmetic(3, unary()); // so that -x ** 2 is -(x ** 2)
    return lined(line, (scope) => operators.negative(value(scope)));
  }

  function arithmetic(least = 0, first = unary()) {
    let left = first;
    for (;;) {
      const { kind, line } = tokens[at];
      const [binding, name] = BINARY[kind] ?? [-1];
      if (binding <= least) return left;
      at += 1;
      const [a, b] = [left, arithmetic(kind === "**" ? binding - 1 : binding)];
      left = lined(line, (scope) => operators.binary(name, a(scope), b(scope)));
    }
  }

  function comparison() {
    const { line } = tokens[at];
    if (skip("not")) {
      const value = comparison();
      return lined(line, (scope) => !operators.truth(value(scope)));
    }
    const left = arithmetic();
    const { kind } = tokens[at];
    if (!COMPARE[kind]) return left;
    at += 1;
    const right = arithmetic();
    return lined(line, (scope) => operators.binary(COMPARE[kind], left(scope), right(scope)));
  }

  /** Comparisons joined by `and`, and those by `or`; then a choice, a if condition else b. */
  function expression() {
    const { line } = tokens[at];
    const joined = (word, part) => {
      let left = part();
      while (skip(word)) {
        const [a, b] = [left, part()];
        left = lined(line, (scope) => (operators.truth(a(scope)) === (word === "and") ? b(scope) : a(scope)));
      }
      return left;
    };
    const value = joined("or", () => joined("and", comparison));
    if (!skip("if")) return value;
    const condition = expression();
    take("else");
    const other = expression();
    return lined(line, (scope) => (operators.truth(condition(scope)) ? value(scope) : other(scope)));
  }

  /** Statements, indented; the function gives what one returns. */
  function block() {
    take(":");
    if (!skip("newline")) return statement(); // on the same line
    take("indent");
    const body = [];
    while (!skip("dedent")) body.push(statement());
    return (scope) => runAll(body, scope);
  }
  function runAll(body, scope) {
    for (const run of body) {
      const result = run(scope);
      if (result) return result;
    }
    return undefined;
  }

  function define() {
    const name = take("name").value;
    take("(");
    const parameters = [];
    while (!skip(")")) {
      const parameter = { name: take("name").value };
      if (skip(":")) expression();
      if (skip("=")) parameter.initial = expression();
      parameters.push(parameter);
      if (!peek(")")) take(",");
    }
    if (skip("->")) expression();
    const body = block();
    const names = parameters.map((parameter) => parameter.name);
    return (scope) => {
      const initial = parameters.map((parameter) => parameter.initial?.(scope));
      const within = (values) => ({ names: new Map(names.map((one, i) => [one, values[i]])), outer: scope });
      const invoke = (values) => body(within(values))?.value ?? null;
      scope.names.set(name, operators.define(name, names, initial, invoke));
    };
  }

  function branch() {
    const { line } = tokens[at];
    const condition = expression();
    const body = block();
    const otherwise = skip("elif") ? branch() : skip("else") ? block() : () => undefined;
    return (scope) => (onLine(line, () => operators.truth(condition(scope))) ? body(scope) : otherwise(scope));
  }

  function loop() {
    const { line } = tokens[at];
    const names = targets();
    take("in");
    const [values, body] = [expression(), block()];
    return (scope) => {
      const turn = (value) => (scope) => (onLine(line, () => assign(scope, names, value)), body(scope));
      return runAll(onLine(line, () => operators.spread(values(scope))).map(turn), scope);
    };
  }

  function inContext() {
    const { line } = tokens[at];
    const context = expression();
    if (skip("as")) take("name");
    const body = skip(",") ? inContext() : block();
    return lined(line, (scope) => operators.within(context(scope), () => body(scope)));
  }

  const targets = () => {
    const names = [take("name").value];
    while (skip(",")) names.push(take("name").value);
    return names;
  };
  function assign(scope, names, value) {
    if (names.length === 1) return scope.names.set(names[0], value);
    const values = operators.spread(value);
    const fit = values.length === names.length;
    if (!fit) throw Error(`ValueError: ${names.length} values are expected, not ${values.length}`);
    return names.forEach((name, i) => scope.names.set(name, values[i]));
  }

  function statement() {
    const { line, value: name } = tokens[at];
    if (skip("def")) return define();
    if (skip("if")) return branch();
    if (skip("for")) return loop();
    if (skip("with")) return inContext();
    if (skip("pass")) return (take("newline"), () => undefined);
    if (skip("return")) {
      const value = peek("newline") ? () => null : expressions();
      take("newline");
      return (scope) => ({ value: value(scope) });
    }
    const sign = tokens[at + 1]?.kind;
    if (peek("name") && /^([-+*/]|\*\*|\/\/)=$/.test(sign)) {
      at += 2;
      const [value, [, operation]] = [expressions(), BINARY[sign.slice(0, -1)]];
      take("newline");
      const changed = (scope) => operators.binary(operation, lookUp(scope, name, line), value(scope));
      return lined(line, (scope) => void scope.names.set(name, changed(scope)));
    }
    const start = at;
    const value = expressions();
    if (skip("newline")) return lined(line, (scope) => void value(scope));
    if (!peek("=")) return fail("an operator or the end of the line is expected here");
    at = start;
    const names = targets();
    take("=");
    const assigned = expressions();
    take("newline");
    return lined(line, (scope) => void assign(scope, names, assigned(scope)));
  }
  function expressions() {
    const list = [expression()];
    while (skip(",")) list.push(expression());
    return list.length === 1 ? list[0] : (scope) => list.map((value) => value(scope));
  }

  const program = [];
  while (!peek("end")) program.push(statement());
  return (names, outer = null) => {
    const scope = { names, outer: outer && { names: outer, outer: null } };
    program.forEach((run) => run(scope));
    return names;
  };
}
