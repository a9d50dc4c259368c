(() => {
  const byId = (id) => document.getElementById(id);

  // One classifier closer.
  const pick = byId("pick");
  const panels = [...document.querySelectorAll(".panel")];
  const showPanel = () => panels.forEach((panel) => { panel.hidden = panel.dataset.panel !== pick.value; });
  pick.addEventListener("change", showPanel);
  showPanel();

  // Clips.
  const data = JSON.parse(byId("data").textContent);
  let media = null;
  const mediaOf = (clip) => (media ??= JSON.parse(byId("media").textContent))[clip];
  const PER_PAGE = 24;
  let found = [];
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
  data.cells.forEach((name, i) => { byId("f-a").append(option(i, name)); byId("f-b").append(option(i, name)); });
  data.classes.forEach((name, i) => { byId("f-true").append(option(i, name)); byId("f-predicted").append(option(i, name)); });
  const setDefaults = () => { byId("f-a").value = "0"; byId("f-b").value = data.cells.length > 1 ? "1" : "0"; };
  setDefaults();

  const right = (cell, clip) => data.predicted[cell][clip] === data.labels[clip];
  const wrongCells = (clip) => data.cells.reduce((sum, _, cell) => sum + (right(cell, clip) ? 0 : 1), 0);
  const tested = (clip) => data.tested[clip] > 0;
  const SHOW = {
    all: () => true,
    wrong: (clip, a) => tested(clip) && !right(a, clip),
    right: (clip, a) => tested(clip) && right(a, clip),
    differ: (clip, a, b) => data.predicted[a][clip] !== data.predicted[b][clip],
    "a-only": (clip, a, b) => right(a, clip) && !right(b, clip),
    "b-only": (clip, a, b) => right(b, clip) && !right(a, clip),
    most: (clip) => tested(clip) && 2 * wrongCells(clip) > data.cells.length,
    every: (clip) => tested(clip) && wrongCells(clip) === data.cells.length,
  };
  const score = (cell, clip) => data.scores[cell] && data.scores[cell][clip] >= 0 ? data.scores[cell][clip] : null;
  const unknownLast = (a, b, sign) => a === null ? (b === null ? 0 : 1) : b === null ? -1 : sign * (a - b);
  const chosen = () => ({
    a: Number(byId("f-a").value), b: Number(byId("f-b").value), show: SHOW[byId("f-show").value],
    label: byId("f-true").value, says: byId("f-predicted").value, sort: byId("f-sort").value,
    text: byId("f-text").value.trim().toLocaleLowerCase(),
  });
  const filter = () => {
    const f = chosen();
    found = data.order.filter((clip) => f.show(clip, f.a, f.b)
      && (f.label === "" || data.labels[clip] === Number(f.label))
      && (f.says === "" || data.predicted[f.a][clip] === Number(f.says))
      && (f.text === "" || data.ids[clip].toLocaleLowerCase().includes(f.text)));
    if (f.sort === "name") found.sort((x, y) => x - y);
    if (f.sort === "low") found.sort((x, y) => unknownLast(score(f.a, x), score(f.a, y), 1));
    if (f.sort === "high") found.sort((x, y) => unknownLast(score(f.a, x), score(f.a, y), -1));
    page = 0;
    show();
  };

  const says = (cell, clip) => {
    const row = make("div", "says");
    row.append(make("bdi", "cell", data.cells[cell]));
    const predicted = data.predicted[cell][clip];
    if (predicted < 0) { row.append(make("small", "", "not tested")); return row; }
    const value = score(cell, clip);
    const word = make("span", right(cell, clip) ? "ok" : "no");
    word.append(make("bdi", "", data.classes[predicted]));
    if (value !== null) word.title = `score of the true class: ${(value / 1000).toFixed(3)}`;
    word.append(make("span", "sr", right(cell, clip) ? " (right)" : " (wrong)"));
    row.append(word);
    return row;
  };
  const inWords = (clip, a) => {
    const parts = [];
    if (tested(clip)) parts.push(`${wrongCells(clip)} of ${data.cells.length} classifiers wrong`);
    if (score(a, clip) !== null) parts.push(`true class scores ${(score(a, clip) / 1000).toFixed(3)} by A`);
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
    } else stage.append(make("span", "silent", "not embedded"));
    const body = make("div", "body");
    body.append(make("bdi", "id", data.ids[clip]));
    const truth = make("div", "says");
    truth.append(make("span", "cell", "true class"), make("bdi", "", data.classes[data.labels[clip]]));
    body.append(truth, says(a, clip));
    if (b !== a) body.append(says(b, clip));
    body.append(make("bdi", "many", inWords(clip, a)));
    item.append(stage, body);
    return item;
  };
  const show = () => {
    stop();
    const { a, b } = chosen();
    const pages = Math.max(1, Math.ceil(found.length / PER_PAGE));
    const slice = found.slice(page * PER_PAGE, (page + 1) * PER_PAGE);
    byId("cards").replaceChildren(...slice.map((clip) => card(clip, a, b)));
    byId("found").textContent = found.length === data.ids.length
      ? `${found.length} clips` : `${found.length} of ${data.ids.length} clips`;
    byId("where").textContent = `page ${page + 1} of ${pages}`;
    byId("before").disabled = page === 0;
    byId("after").disabled = page >= pages - 1;
  };
  const turn = (step) => { page += step; show(); byId("found").scrollIntoView({ block: "start" }); };
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
  for (const button of document.querySelectorAll(".show-clips"))
    button.addEventListener("click", () => {
      clear();
      byId("f-a").value = button.dataset.cell;
      byId("f-b").value = button.dataset.cell === "0" && data.cells.length > 1 ? "1" : "0";
      byId("f-true").value = button.dataset.true;
      byId("f-predicted").value = button.dataset.predicted;
      filter();
      byId("clips").scrollIntoView();
      byId("f-a").focus({ preventScroll: true });
    });

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
      byId("found").textContent = "This browser cannot play the sound of this page.";
    });
  };
  player.addEventListener("ended", stop);

  filter();
})();
