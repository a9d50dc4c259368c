(() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  let media = null;
  const mediaOf = (clip) => (media ??= JSON.parse(byId("media").textContent))[clip];
  const stage = byId("stage");
  const drawing = stage.querySelector("svg");
  const marks = [...drawing.querySelectorAll("use.p")];
  const places = marks.map((mark) => [mark.x.baseVal.value, mark.y.baseVal.value]);
  const ring = byId("ring");
  const legend = byId("legend");
  const shapes = [...drawing.querySelectorAll("defs path")].map((path) => path.getAttribute("d"));
  const SVG = "http://www.w3.org/2000/svg";
  let colouring = 0;
  let only = null;
  let picked = null;

  const appearance = (code) => [code % data.colours, Math.floor(code / data.colours) % data.shapes];
  const visible = (clip) => only === null || data.colourings[colouring].codes[clip] === only;

  // Colours.
  const dim = () => marks.forEach((mark, clip) => mark.classList.toggle("off", !visible(clip)));
  const press = (code) => {
    only = only === code ? null : code;
    for (const key of legend.querySelectorAll(".key"))
      key.setAttribute("aria-pressed", String(Number(key.dataset.code) === only));
    dim();
  };
  const key = (name, count, code) => {
    const [colour, shape] = appearance(code);
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet key";
    button.dataset.code = code;
    button.title = name;
    button.setAttribute("aria-pressed", "false");
    const swatch = document.createElementNS(SVG, "svg");
    const path = document.createElementNS(SVG, "path");
    for (const [attribute, value] of [["viewBox", "-1.5 -1.5 3 3"], ["width", 14], ["height", 14], ["aria-hidden", "true"]])
      swatch.setAttribute(attribute, value);
    path.setAttribute("d", shapes[shape]);
    path.setAttribute("class", `k${colour}`);
    swatch.append(path);
    const word = document.createElement("bdi");
    word.textContent = name;
    const small = document.createElement("small");
    small.textContent = count;
    button.append(swatch, word, " ", small);
    item.append(button);
    return item;
  };
  const paint = () => {
    const { names, codes, counts } = data.colourings[colouring];
    only = null;
    marks.forEach((mark, clip) => {
      const [colour, shape] = appearance(codes[clip]);
      mark.setAttribute("href", `#s${shape}`);
      mark.setAttribute("class", `p k${colour}${mediaOf(clip) ? "" : " mute"}`);
    });
    legend.replaceChildren(...names.map((name, code) => key(name, counts[code], code)));
  };
  legend.addEventListener("click", (event) => {
    const button = event.target.closest(".key");
    if (button) press(Number(button.dataset.code));
  });
  byId("colouring").addEventListener("change", (event) => { colouring = Number(event.target.value); paint(); });

  // The selected clip.
  const player = byId("player");
  let line = null;
  const stop = () => {
    player.pause();
    line?.remove();
    line = null;
    const button = byId("picked-stage").querySelector(".play");
    if (button) { button.textContent = "▶"; button.setAttribute("aria-label", `Play ${data.ids[picked]}`); }
  };
  const follow = () => {
    if (!line) return;
    if (player.duration > 0) line.style.left = `${100 * player.currentTime / player.duration}%`;
    requestAnimationFrame(follow);
  };
  const play = () => {
    const held = picked === null ? null : mediaOf(picked);
    if (!held) return;
    if (line) { stop(); return; }
    line = document.createElement("div");
    line.className = "head";
    byId("picked-stage").append(line);
    const button = byId("picked-stage").querySelector(".play");
    button.textContent = "■";
    button.setAttribute("aria-label", `Stop ${data.ids[picked]}`);
    player.src = held[1];
    player.play().then(follow, (error) => {
      if (error.name === "AbortError") return;
      stop();
      byId("hint").textContent = "This browser cannot play the sound in this page.";
    });
  };
  player.addEventListener("ended", stop);
  const pick = (clip, aloud) => {
    stop();
    picked = clip;
    const held = mediaOf(clip);
    const box = byId("picked-stage");
    if (held) {
      const image = document.createElement("img");
      image.src = held[0];
      image.alt = `Spectrogram of ${data.ids[clip]}`;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "play";
      button.textContent = "▶";
      button.setAttribute("aria-label", `Play ${data.ids[clip]}`);
      button.addEventListener("click", play);
      box.replaceChildren(image, button);
    } else {
      const silent = document.createElement("span");
      silent.className = "silent";
      silent.textContent = "not in this page";
      box.replaceChildren(silent);
    }
    byId("picked-id").textContent = data.ids[clip];
    const words = data.colourings.map(({ title, names, codes }) => `${title}: ${names[codes[clip]]}`);
    words.push(`${data.seconds[clip].toFixed(2)} s`, `${data.level[clip].toFixed(1)} dBFS`.replace("-", "−"));
    byId("picked-facts").textContent = words.join(" · ");
    byId("picked").hidden = false;
    ring.removeAttribute("hidden");
    ring.setAttribute("cx", places[clip][0]);
    ring.setAttribute("cy", places[clip][1]);
    if (aloud) play();
  };
  const nearest = (x, y, most, playable = false) => {
    let best = null;
    let least = most * most;
    places.forEach(([a, b], clip) => {
      const distance = (a - x) ** 2 + (b - y) ** 2;
      if (distance < least && visible(clip) && (!playable || mediaOf(clip))) { best = clip; least = distance; }
    });
    return best;
  };
  stage.addEventListener("click", (event) => {
    const matrix = drawing.getScreenCTM();
    if (!matrix) return;
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
    // A clip with sound wins over a pale one that is a little closer.
    const clip = nearest(point.x, point.y, 6 / matrix.a, true) ?? nearest(point.x, point.y, 22 / matrix.a);
    if (clip !== null) pick(clip, true);
  });

  // Keys: the nearest clip in a direction.
  const WAYS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const step = ([dx, dy]) => {
    if (picked === null) return nearest(380, 260, Infinity);
    const [x, y] = places[picked];
    let best = null;
    let least = Infinity;
    places.forEach(([a, b], clip) => {
      const ahead = (a - x) * dx + (b - y) * dy;
      const aside = Math.abs((a - x) * dy) + Math.abs((b - y) * dx);
      const cost = ahead + 2 * aside;
      if (clip !== picked && visible(clip) && ahead > 0 && cost < least) { best = clip; least = cost; }
    });
    return best;
  };
  stage.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); play(); return; }
    const way = WAYS[event.key];
    if (!way) return;
    event.preventDefault();
    const clip = step(way);
    if (clip !== null) pick(clip, false);
  });
})();
