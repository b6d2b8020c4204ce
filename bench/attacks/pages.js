// What a page can try at a service: each resolves to what it could read of it, or to "" once it has sent its request.
// `to` has the URLs to read, to write, to upload and to listen at, a body and a key.

const [name, to, done] = arguments;

const text = (answer) => answer.text();
const form = (method, action, enctype, fields) => {
  const element = Object.assign(document.createElement("form"), { method, action, enctype });
  for (const [name, value] of Object.entries(fields)) {
    element.append(Object.assign(document.createElement("input"), { name, value }));
  }
  document.body.append(element);
  return element;
};
const frame = (attributes) => Object.assign(document.createElement("iframe"), { name: "frame", ...attributes });
const inner = (element) => {
  try {
    return element.contentDocument.body.innerText;
  } catch {
    return "";
  }
};
const loads = (tag, attributes, said) =>
  new Promise((resolve) => {
    const element = Object.assign(document.createElement(tag), attributes);
    element.onload = element.onloadeddata = () => resolve(said(element));
    element.onerror = () => resolve("");
    document.body.append(element);
  });
const sends = (action, enctype, fields) =>
  new Promise((resolve) => {
    const element = frame({});
    document.body.append(element);
    const sent = form("POST", action, enctype, fields);
    sent.target = "frame";
    element.onload = () => resolve(inner(element));
    sent.submit();
  });
const asks = (method, url, body, headers, credentials) =>
  new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open(method, url);
    request.withCredentials = credentials;
    Object.entries(headers).forEach(([name, value]) => request.setRequestHeader(name, value));
    request.onload = () => resolve(request.responseText);
    request.onerror = () => resolve("");
    request.send(body);
  });
const opens = (url, protocols) =>
  new Promise((resolve) => {
    const socket = new WebSocket(url, protocols);
    socket.onopen = () => resolve("the socket is open");
    socket.onerror = () => resolve("");
  });
const rows = () => {
  const data = new FormData();
  data.append("purpose", "eval");
  data.append("file_type", "jsonl");
  data.append("file", new Blob(['{"a": 1}\n']), "rows.jsonl");
  return data;
};
const elsewhere = (code) =>
  new Promise((resolve) => {
    const worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
    worker.onmessage = (message) => resolve(message.data);
    worker.onerror = () => resolve("");
  });
const nobody = (code) =>
  new Promise((resolve) => {
    window.onmessage = (message) => resolve(message.data);
    document.body.append(frame({ sandbox: "allow-scripts", srcdoc: `<script>${code}</` + "script>" }));
  });

const key = { Authorization: `Bearer ${to.key}` };
const json = { "Content-Type": "application/json" };
const plain = { "Content-Type": "text/plain" };
const told = (target) => `.then((a) => a.text()).then((t) => ${target}(t, "*"), () => ${target}("", "*"))`;

const TRIES = {
  "fetch": () => fetch(to.read).then(text),
  "fetch without CORS": () => fetch(to.read, { mode: "no-cors" }).then(text),
  "fetch with credentials": () => fetch(to.read, { credentials: "include" }).then(text),
  "fetch with a key": () => fetch(to.read, { headers: key }).then(text),
  "POST of JSON": () => fetch(to.write, { method: "POST", headers: json, body: to.body }).then(text),
  "POST of JSON with a key": () => fetch(to.write, { method: "POST", headers: { ...json, ...key }, body: to.body }).then(text),
  "POST of text": () => fetch(to.write, { method: "POST", mode: "no-cors", headers: plain, body: to.body }).then(text),
  "POST of nothing known": () => fetch(to.write, { method: "POST", mode: "no-cors", body: new Blob([to.body]) }).then(text),
  "POST that outlives the page": () => fetch(to.write, { method: "POST", mode: "no-cors", keepalive: true, body: to.body }).then(text),
  "PUT": () => fetch(to.upload, { method: "PUT", body: "a" }).then(text),
  "DELETE": () => fetch(to.write, { method: "DELETE" }).then(text),
  "PATCH": () => fetch(to.write, { method: "PATCH", headers: json, body: "{}" }).then(text),
  "upload": () => fetch(to.upload, { method: "POST", mode: "no-cors", body: rows() }).then(text),
  "upload with a key": () => fetch(to.upload, { method: "POST", headers: key, body: rows() }).then(text),
  "XMLHttpRequest": () => asks("GET", to.read, null, {}, false),
  "XMLHttpRequest, POST": () => asks("POST", to.write, to.body, plain, true),
  "XMLHttpRequest with a key": () => asks("POST", to.write, to.body, { ...json, ...key }, false),
  "beacon": async () => (navigator.sendBeacon(to.write, to.body), ""),
  "beacon of JSON": async () => (navigator.sendBeacon(to.write, new Blob([to.body], { type: "application/json" })), ""),
  "form": () => sends(to.write, "application/x-www-form-urlencoded", { purpose: "eval" }),
  "form of text": () => sends(to.write, "text/plain", { [to.body.slice(0, -1) + ', "x": "']: '"}' }),
  "form of parts": () => sends(to.upload, "multipart/form-data", { purpose: "eval", file_name: "a", file_type: "jsonl" }),
  "image": () => loads("img", { src: to.read }, () => "the image is shown"),
  "script": () => loads("script", { src: to.read }, () => "the script ran"),
  "script as a module": () => loads("script", { src: to.read, type: "module" }, () => "the script ran"),
  "style sheet": () => loads("link", { href: to.read, rel: "stylesheet" }, () => "the style is applied"),
  "video": () => loads("video", { src: to.read, preload: "auto" }, () => "the video plays"),
  "frame": () => loads("iframe", { src: to.read }, inner),
  "object": () => loads("object", { data: to.read }, inner),
  "import": () => import(to.read).then(() => "it was imported"),
  "event source": () =>
    new Promise((resolve) => {
      const source = new EventSource(to.read);
      source.onopen = () => resolve("the stream is open");
      source.onerror = () => resolve("");
    }),
  "socket": () => opens(to.listen),
  "socket with a protocol": () => opens(to.listen, "prefect"),
  "worker": () => elsewhere(`fetch("${to.read}")${told("postMessage").replaceAll(', "*"', "")}`),
  "page without an origin": () => nobody(`fetch("${to.read}")${told("parent.postMessage")}`),
  "page without an origin, POST": () =>
    nobody(`fetch("${to.write}", {method: "POST", body: ${JSON.stringify(to.body)}})${told("parent.postMessage")}`),
};

if (name === "") {
  done(Object.keys(TRIES));
} else {
  const late = new Promise((resolve) => setTimeout(resolve, 1500, ""));
  const said = Promise.race([TRIES[name](), late]).catch(() => "");
  said.then((read) => setTimeout(done, 200, read)); // what was sent is under way then
}
