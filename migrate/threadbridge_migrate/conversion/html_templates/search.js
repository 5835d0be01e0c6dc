"use strict";
// Lists the threads of threads.js, a portion at a time, and filters them by all words of the search.
(() => {
  const PORTION = 200;
  const threads = window.THREADS || [];
  const haystacks = threads.map((t) => `${t.title} ${t.id} ${t.text}`.toLowerCase());
  const list = document.getElementById("threads");
  const more = document.getElementById("more");
  const found = document.getElementById("found");
  const search = document.getElementById("search");
  let matches = [];
  let shown = 0;

  function showMore() {
    for (const number of matches.slice(shown, shown + PORTION)) {
      const thread = threads[number];
      const link = document.createElement("a");
      link.href = thread.page;
      const title = document.createElement("strong");
      title.textContent = thread.title;
      const details = document.createElement("span");
      details.textContent = `${thread.created} · ${thread.messages} messages · ${thread.id}`;
      link.append(title, details);
      const row = document.createElement("li");
      row.append(link);
      list.append(row);
    }
    shown = Math.min(shown + PORTION, matches.length);
    more.hidden = shown >= matches.length;
  }

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    matches = [];
    haystacks.forEach((text, number) => {
      if (words.every((word) => text.includes(word))) matches.push(number);
    });
    list.replaceChildren();
    shown = 0;
    showMore();
    found.textContent = words.length ? `${matches.length} of ${threads.length} threads` : "";
  }

  search.addEventListener("input", filter);
  more.addEventListener("click", showMore);
  filter();
})();
