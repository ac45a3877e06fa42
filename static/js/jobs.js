// "Notify me" of a job without a mail server: this browser says when it is over, as long as the page is open.

const asked = new Map(); // job -> its words while it runs

const buttons = () => [...document.querySelectorAll("[data-notify]")];

function draw() {
  for (const button of buttons()) {
    button.hidden = !("Notification" in window) || Notification.permission === "denied";
    button.setAttribute("aria-pressed", String(asked.has(button.dataset.notify)));
  }
  for (const [job, title] of asked) {
    const row = document.getElementById(`job-${job}`);
    if (!row || row.querySelector("[role=progressbar]")) continue;
    asked.delete(job);
    new Notification(title, { body: row.querySelector(".grow").textContent.trim(), tag: `job-${job}` });
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-notify]");
  if (!button) return;
  const { notify } = button.dataset;
  const title = document.querySelector(`#job-${notify} .grow`).textContent.trim();
  if (asked.delete(notify)) return draw();
  if ((await Notification.requestPermission()) === "granted") asked.set(notify, title);
  draw();
});
document.addEventListener("htmx:after:swap", draw);
draw();
