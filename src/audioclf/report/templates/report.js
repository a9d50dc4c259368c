(() => {
  const byId = (id) => document.getElementById(id);

  // Details of one pipeline.
  const pick = byId("pick");
  const panels = [...document.querySelectorAll(".panel")];
  const showPanel = () => panels.forEach((panel) => { panel.hidden = panel.dataset.panel !== pick.value; });
  pick.addEventListener("change", showPanel);
  showPanel();

  // Curves: pointing at one or at its name brings both out.
  for (const figure of document.querySelectorAll(".curves")) {
    const bringOut = (target) => {
      const curve = target?.closest?.("[data-curve]")?.dataset.curve;
      figure.classList.toggle("picked", curve !== undefined);
      for (const part of figure.querySelectorAll("[data-curve]")) part.classList.toggle("on", part.dataset.curve === curve);
    };
    for (const kind of ["pointerover", "focusin"]) figure.addEventListener(kind, (event) => bringOut(event.target));
    for (const kind of ["pointerleave", "focusout"]) figure.addEventListener(kind, () => bringOut(null));
  }

  // Clips.
  const data = JSON.parse(byId("data").textContent);
  let media = null;
  const mediaOf = (clip) => (media ??= JSON.parse(byId("media").textContent))[clip];
  const PER_PAGE = 24;
  let matches = [];
  let page = 0;

  const option = (value, text) => {
    const made = document.createElement("option");
    made.value = value;
    made.textContent = text;
    return made;
  };
  const make = (tag, name, text) => {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  data.pipelines.forEach((name, i) => { byId("f-a").append(option(i, name)); byId("f-b").append(option(i, name)); });
  data.classes.forEach((name, i) => { byId("f-true").append(option(i, name)); byId("f-predicted").append(option(i, name)); });
  const setDefaults = () => { byId("f-a").value = "0"; byId("f-b").value = data.pipelines.length > 1 ? "1" : "0"; };
  setDefaults();

  const right = (pipeline, clip) => data.predicted[pipeline][clip] === data.labels[clip];
  const learned = data.pipelines.map((_, pipeline) => pipeline).filter((pipeline) => !data.baselines.includes(pipeline));
  const wrongPipelines = (clip) => learned.reduce((sum, pipeline) => sum + (right(pipeline, clip) ? 0 : 1), 0);
  const tested = (clip) => data.tested[clip] > 0;
  const SHOW = {
    all: () => true,
    wrong: (clip, a) => tested(clip) && !right(a, clip),
    right: (clip, a) => tested(clip) && right(a, clip),
    differ: (clip, a, b) => data.predicted[a][clip] !== data.predicted[b][clip],
    "a-only": (clip, a, b) => right(a, clip) && !right(b, clip),
    "b-only": (clip, a, b) => right(b, clip) && !right(a, clip),
    most: (clip) => tested(clip) && 2 * wrongPipelines(clip) > learned.length,
    every: (clip) => tested(clip) && learned.length > 0 && wrongPipelines(clip) === learned.length,
  };
  const score = (pipeline, clip) => data.scores[pipeline] && data.scores[pipeline][clip] >= 0 ? data.scores[pipeline][clip] : null;
  const unknownLast = (a, b, sign) => a === null ? (b === null ? 0 : 1) : b === null ? -1 : sign * (a - b);
  const chosen = () => ({
    a: Number(byId("f-a").value), b: Number(byId("f-b").value), show: SHOW[byId("f-show").value],
    label: byId("f-true").value, predicted: byId("f-predicted").value, sort: byId("f-sort").value,
    text: byId("f-text").value.trim().toLocaleLowerCase(),
  });
  const filter = () => {
    const f = chosen();
    matches = data.order.filter((clip) => f.show(clip, f.a, f.b)
      && (f.label === "" || data.labels[clip] === Number(f.label))
      && (f.predicted === "" || data.predicted[f.a][clip] === Number(f.predicted))
      && (f.text === "" || data.ids[clip].toLocaleLowerCase().includes(f.text)));
    if (f.sort === "name") matches.sort((x, y) => x - y);
    if (f.sort === "low") matches.sort((x, y) => unknownLast(score(f.a, x), score(f.a, y), 1));
    if (f.sort === "high") matches.sort((x, y) => unknownLast(score(f.a, x), score(f.a, y), -1));
    page = 0;
    show();
  };

  const prediction = (pipeline, clip) => {
    const row = make("div", "prediction");
    row.append(make("bdi", "who", data.pipelines[pipeline]));
    const predicted = data.predicted[pipeline][clip];
    if (predicted < 0) { row.append(make("small", "", "not tested")); return row; }
    const value = score(pipeline, clip);
    const word = make("span", right(pipeline, clip) ? "ok" : "no");
    word.append(make("bdi", "", data.numbers ? data.numbers.predicted[pipeline][clip] : data.classes[predicted]));
    if (value !== null) word.title = `score of the true class: ${(value / 1000).toFixed(3)}`;
    word.append(make("span", "sr", right(pipeline, clip) ? (data.numbers ? " (in the true range)" : " (correct)") : (data.numbers ? " (in another range)" : " (wrong)")));
    row.append(word);
    return row;
  };
  const details = (clip, a) => {
    const parts = [];
    if (tested(clip) && learned.length) parts.push(`${wrongPipelines(clip)} of ${learned.length} pipelines ${data.numbers ? "in another range" : "wrong"}${data.baselines.length ? ", without the baseline" : ""}`);
    if (score(a, clip) !== null) parts.push(`score of the true class (A): ${(score(a, clip) / 1000).toFixed(3)}`);
    if (data.groups) parts.push(data.groups[clip]);
    return parts.join(" · ");
  };
  const card = (clip, a, b) => {
    const item = make("li", "card");
    item.dataset.clip = clip;
    const stage = make("div", "stage");
    const held = mediaOf(clip);
    if (held) {
      const image = make("img");
      image.src = held[0];
      image.alt = `Spectrogram of ${data.ids[clip]}`;
      const button = make("button", "play", "▶");
      button.type = "button";
      button.setAttribute("aria-label", `Play ${data.ids[clip]}`);
      button.addEventListener("click", () => toggle(clip, item, button));
      stage.append(image, button);
    } else stage.append(make("span", "silent", "not in this page"));
    const body = make("div", "body");
    body.append(make("bdi", "id", data.ids[clip]));
    const truth = make("div", "prediction");
    truth.append(make("span", "who", data.numbers ? "true number" : "true class"), make("bdi", "", data.numbers ? data.numbers.true[clip] : data.classes[data.labels[clip]]));
    body.append(truth, prediction(a, clip));
    if (b !== a) body.append(prediction(b, clip));
    body.append(make("bdi", "many", details(clip, a)));
    item.append(stage, body);
    return item;
  };
  const show = () => {
    stop();
    const { a, b } = chosen();
    const pages = Math.max(1, Math.ceil(matches.length / PER_PAGE));
    const slice = matches.slice(page * PER_PAGE, (page + 1) * PER_PAGE);
    byId("cards").replaceChildren(...slice.map((clip) => card(clip, a, b)));
    byId("count").textContent = matches.length === data.ids.length
      ? `${matches.length} clips` : `${matches.length} of ${data.ids.length} clips`;
    byId("where").textContent = `page ${page + 1} of ${pages}`;
    byId("before").disabled = page === 0;
    byId("after").disabled = page >= pages - 1;
  };
  const turn = (step) => { page += step; show(); byId("count").scrollIntoView({ block: "start" }); };
  byId("before").addEventListener("click", () => turn(-1));
  byId("after").addEventListener("click", () => turn(1));
  byId("filters").addEventListener("input", filter);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  const clear = () => {
    for (const field of byId("filters").querySelectorAll("select")) field.selectedIndex = 0;
    byId("f-text").value = "";
    setDefaults();
  };
  byId("filters").addEventListener("reset", (event) => { event.preventDefault(); clear(); filter(); });
  const showClips = (pipeline, label, predicted) => {
    clear();
    byId("f-a").value = pipeline;
    byId("f-b").value = pipeline === "0" && data.pipelines.length > 1 ? "1" : "0";
    byId("f-true").value = label;
    byId("f-predicted").value = predicted;
    filter();
    byId("clips").scrollIntoView();
    byId("f-a").focus({ preventScroll: true });
  };
  for (const button of document.querySelectorAll(".show-clips"))
    button.addEventListener("click", () => showClips(button.dataset.pipeline, button.dataset.true, button.dataset.predicted));

  // Confusion matrices of many classes: a picture with a pixel for each number.
  for (const picture of document.querySelectorAll(".picture")) {
    const { pipeline } = picture.dataset;
    const image = picture.querySelector("img");
    const cellAt = (event) => {
      const box = image.getBoundingClientRect();
      const place = (at, extent) => Math.min(data.classes.length - 1, Math.max(0, Math.floor(at / extent * data.classes.length)));
      return [place(event.clientY - box.top, box.height), place(event.clientX - box.left, box.width)];
    };
    image.addEventListener("pointermove", (event) => {
      const [label, predicted] = cellAt(event);
      const n = data.order.filter((clip) => data.labels[clip] === label && data.predicted[pipeline][clip] === predicted).length;
      picture.querySelector(".cell").textContent = `true ${data.classes[label]}, predicted ${data.classes[predicted]}: ${n} clip${n === 1 ? "" : "s"}`;
    });
    image.addEventListener("click", (event) => showClips(pipeline, ...cellAt(event)));
  }

  // Sound: one at a time.
  const player = byId("player");
  let playing = null;
  const stop = () => {
    player.pause();
    if (!playing) return;
    playing.button.textContent = "▶";
    playing.button.setAttribute("aria-label", `Play ${data.ids[playing.clip]}`);
    playing.line.remove();
    playing = null;
  };
  const follow = () => {
    if (!playing) return;
    if (player.duration > 0) playing.line.style.left = `${100 * player.currentTime / player.duration}%`;
    requestAnimationFrame(follow);
  };
  const toggle = (clip, item, button) => {
    const same = playing && playing.clip === clip;
    stop();
    if (same) return;
    const line = make("div", "head");
    item.querySelector(".stage").append(line);
    button.textContent = "■";
    button.setAttribute("aria-label", `Stop ${data.ids[clip]}`);
    playing = { clip, button, line };
    player.src = mediaOf(clip)[1];
    player.play().then(follow, (error) => {
      if (error.name === "AbortError") return;
      stop();
      byId("count").textContent = "This browser cannot play the sound in this page.";
    });
  };
  player.addEventListener("ended", stop);

  filter();
})();
