// Sessions are moved and a runner is drained from the page, on a gateway of several processes.

import assert from "node:assert/strict";
import { after, afterEach, test } from "node:test";
import { close, closePages, confirm, eventually, goTo, link, logIn, open, rest, sees } from "./stage.js";

after(close);
afterEach(closePages);

test("a session is moved, a runner is drained, and its sessions are seen to go", async () => {
  for (let n = 1; n <= 4; n += 1) await link(`number-${n}`, `62811000010${n}`);
  const { page, faults } = await open();
  await logIn(page, "admin", "admin", "/app/admin");
  const runners = page.getByRole("region", { name: "Runners" });
  for (const name of ["runner-1", "runner-2"]) await runners.getByText(name, { exact: true }).waitFor();

  const holder = await eventually("a runner with sessions", async () => {
    const { data } = await rest("GET", "/admin/runners");
    return data.find(({ sessions }) => sessions > 0);
  });
  const other = holder.name === "runner-1" ? "runner-2" : "runner-1";
  const [moved] = (await rest("GET", `/sessions?runner=${holder.id}`)).data;
  const dialog = page.getByRole("dialog");
  await page.getByRole("button", { name: "Move a session" }).click();
  await dialog.getByLabel("Session").fill(moved.name);
  await page.getByRole("option", { name: moved.name }).click();
  await dialog.getByRole("combobox", { name: "To" }).click();
  await page.getByRole("option", { name: other }).click();
  await dialog.getByRole("button", { name: "Move a session" }).click();
  await sees(page, `${moved.name} is on its way.`);
  // Who holds what is a list of sessions.
  const theirs = runners.getByRole("listitem").filter({ hasText: other });
  await theirs.getByRole("link", { name: /^[1-4] of/ }).click();
  await sees(page, `Those that ${other} holds.`);
  await page.getByRole("list", { name: "Sessions" }).getByText(moved.name).waitFor();
  await page.getByRole("link", { name: "Show all" }).click();
  await eventually("all of them", async () =>
    (await page.getByRole("list", { name: "Sessions" }).getByRole("listitem").count()) === 4);
  await goTo(page, "Admin");

  await runners.getByRole("button", { name: `Drain ${holder.name}` }).click();
  await confirm(page, "Drain");
  const row = runners.getByRole("listitem").filter({ hasText: holder.name });
  await row.getByText("Draining").waitFor();
  await row.getByText("0 of").waitFor();
  await runners.getByRole("listitem").filter({ hasText: other }).getByText("4 of").waitFor();
  await sees(page, "of 4 expected");
  await eventually("all connected again", async () => (await rest("GET", "/status")).sessions_connected === 4);

  // The other one cannot be drained: there is nobody left.
  await runners.getByRole("button", { name: `Drain ${other}` }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Drain" }).click();
  await page.getByRole("dialog").getByRole("alert").waitFor();
  await page.keyboard.press("Escape");

  await page.getByRole("button", { name: "Move a session" }).click();
  await dialog.getByLabel("Session").fill("number-3");
  await page.getByRole("option", { name: "number-3" }).click();
  await dialog.getByRole("button", { name: "Move a session" }).click();
  await dialog.getByRole("alert").waitFor();
  await page.keyboard.press("Escape");

  await page.getByRole("link", { name: "Audit log" }).click();
  const log = page.getByRole("table");
  await log.getByRole("row", { name: /Session moved/ }).getByText(moved.name).waitFor();
  await log.getByText("Runner drained").waitFor();
  await page.getByRole("combobox", { name: "What" }).click();
  await page.getByRole("option", { name: "Session moved" }).click();
  await log.getByText("Runner drained").waitFor({ state: "detached" });
  await log.getByText("Session moved").waitFor();
  assert.deepEqual(faults, []);
});
