// Answers as the server does, by the graph in this page and ONNX Runtime.
async function unpacked(id) {
  const bytes = Uint8Array.from(atob($(id).textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

let opened = null;
async function open() {
  const ort = await import(URL.createObjectURL(new Blob([await unpacked("runtime")], { type: "text/javascript" })));
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = await unpacked("wasm");
  return [ort, await ort.InferenceSession.create(new Uint8Array(await unpacked("graph")))];
}

async function samplesOf(body, parameters) {
  const out = (n) => new OfflineAudioContext(1, Math.max(1, n), facts.sr);
  if (!parameters.encoding) {
    const sound = await out(1).decodeAudioData(await body.arrayBuffer()).catch(() => { throw new Error("the browser cannot decode this file"); });
    const y = new Float32Array(sound.length);
    for (let channel = 0; channel < sound.numberOfChannels; channel++) {
      const samples = sound.getChannelData(channel);
      for (let i = 0; i < y.length; i++) y[i] += samples[i] / sound.numberOfChannels;
    }
    return y;
  }
  const y = new Float32Array(body), context = out(Math.ceil(y.length * facts.sr / parameters.rate));
  const source = context.createBufferSource();
  source.buffer = context.createBuffer(1, y.length, parameters.rate);
  source.buffer.copyToChannel(y, 0);
  source.connect(context.destination);
  source.start();
  return (await context.startRendering()).getChannelData(0);
}

async function scored(y, first, last) {
  const [ort, session] = await (opened ??= open());
  const given = new ort.Tensor("float32", y.slice(first, last), [last - first]);
  const { label, labels, scores } = await session.run({ waveform: given });
  const code = label ? Number(label.data[0]) : 0, score = scores.data[code];
  const answer = labels
    ? { labels: facts.classes.filter((_, i) => Number(labels.data[i])) }
    : { score, label: score < (facts.abstain_below ?? 0) ? null : facts.classes[code] };
  return {
    ...answer, start: first / facts.sr, end: last / facts.sr,
    scores: Object.fromEntries(facts.classes.map((name, i) => [name, scores.data[i]])),
  };
}

async function predict(body, parameters) {
  const y = await samplesOf(body, parameters), windows = [];
  if (parameters.window) {
    const size = Math.round(parameters.window * facts.sr), hop = Math.max(1, Math.round(parameters.hop * facts.sr));
    for (let at = 0; y.length - at >= size / 2 && (at === 0 || at - hop + size < y.length); at += hop) {
      windows.push(await scored(y, at, Math.min(at + size, y.length)));
    }
  } else {
    const first = Math.floor((parameters.encoding ? 0 : facts.offset) * facts.sr);
    const last = facts.duration === null ? y.length : Math.min(y.length, first + Math.floor(facts.duration * facts.sr));
    windows.push(await scored(y, first, last));
  }
  return { sample_rate: facts.sr, seconds: y.length / facts.sr, windows, notes: [] };
}
