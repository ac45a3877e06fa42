// Passkeys: a button with `data-passkey` asks the browser, and its form takes the answer along.
// `add` and `confirm` find what to ask in the page; `sign-in` fetches it, since it is good once.
// What went wrong is said in the element after the button.

const { create, get } = window.webauthnJSON;

// Browsers bind passkeys to a name, and refuse an address such as 127.0.0.1.
const named = !/^[\d.]+$|:/.test(location.hostname);

async function options(form) {
  if (form.dataset.options) {
    return JSON.parse(document.getElementById(form.dataset.options).textContent);
  }
  const headers = { Accept: "application/json", "X-Requested-With": "XMLHttpRequest" };
  const answer = await fetch(form.action, { headers });
  if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
  return answer.json();
}

async function ask(form, way) {
  const asked = await options(form);
  if (way !== "add") return get(asked.request_options);
  const wanted = asked.creation_options;
  const selection = wanted.publicKey.authenticatorSelection;
  selection.residentKey = "required";
  selection.requireResidentKey = true;
  selection.userVerification = "required";
  return create(wanted);
}

for (const button of document.querySelectorAll("[data-passkey]")) {
  const { form, nextElementSibling: said } = button;
  const way = button.dataset.passkey;
  if (!window.PublicKeyCredential || !named) {
    button.disabled = true;
    if (way === "sign-in") continue; // hidden: nobody can have one here
    said.textContent = named
      ? "This browser has no passkeys."
      : "Passkeys need a name: open this page as localhost, or by its https address.";
    continue;
  }
  button.hidden = false;
  button.addEventListener("click", async () => {
    said.textContent = "";
    try {
      form.elements.credential.value = JSON.stringify(await ask(form, way));
      form.submit();
    } catch (error) {
      said.textContent = `No passkey was used. ${error.message}`;
    }
  });
}
