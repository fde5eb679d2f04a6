for (const time of document.querySelectorAll("time")) {
  const at = new Date(time.dateTime);
  const here = new Date(at - at.getTimezoneOffset() * 60000).toISOString();
  const zone = new Intl.DateTimeFormat(document.documentElement.lang, { timeZoneName: "short" })
    .formatToParts(at).find((part) => part.type === "timeZoneName").value;
  const exact = `${here.slice(0, 10)} ${here.slice(11, 16)} ${zone}`;
  const shown = time.querySelector(".exact");
  if (shown) shown.textContent = exact;
  else time.title = exact;
}
