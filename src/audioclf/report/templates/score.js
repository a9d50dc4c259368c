(() => {
  // One sound at a time, and a line where it is.
  const players = [...document.querySelectorAll("audio")];
  for (const player of players) {
    const line = player.closest(".event").querySelector(".at");
    player.addEventListener("play", () => { for (const other of players) if (other !== player) other.pause(); });
    player.addEventListener("timeupdate", () => {
      if (player.duration > 0) line.style.left = `${100 * player.currentTime / player.duration}%`;
    });
  }
})();
