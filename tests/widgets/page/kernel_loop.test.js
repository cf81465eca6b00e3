// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { KernelLoop } from "../../../equivlab/widgets/page/kernel_loop.js";

/** Let promises go on. */
const breathe = () => new Promise((go) => setTimeout(go, 0));

/**
 * A kernel whose answers come when the test says so, and what the loop heard.
 *
 * @param {number} [most] questions on their way
 */
function made(most) {
  /** @type {{ question: any, answer: (content: any) => void, fail: () => void }[]} */
  const questions = [];
  /** @type {any[]} */
  const heard = [];
  const invoke = (/** @type {string} */ name, /** @type {any} */ question) => {
    assert.equal(name, "ask");
    return /** @type {Promise<[any, DataView[]]>} */ (
      new Promise((resolve, reject) => {
        const answer = (/** @type {any} */ content) => resolve([content, []]);
        questions.push({ question, answer, fail: () => reject(new Error("dead")) });
      })
    );
  };
  let changes = 0;
  const hear = (/** @type {any} */ answer, /** @type {any} */ _, /** @type {any} */ question) =>
    heard.push([question, answer]);
  const changed = () => {
    changes += 1;
  };
  const loop = new KernelLoop(invoke, { hear, changed }, most);
  return { loop, questions, heard, changes: () => changes };
}

test("one question is on its way, and the latest is next", async () => {
  const { loop, questions, heard } = made();
  for (const n of [1, 2, 3, 4]) loop.ask({ n });
  assert.deepEqual(
    questions.map(({ question }) => question.n),
    [1],
  );
  questions[0].answer("one");
  await breathe();
  assert.deepEqual(
    questions.map(({ question }) => question.n),
    [1, 4],
  );
  questions[1].answer("four");
  await breathe();
  assert.deepEqual(heard, [
    [{ n: 1 }, "one"],
    [{ n: 4 }, "four"],
  ]);
  assert.equal(questions.length, 2);
  assert.ok(loop.isSettled({ n: 4 }));
  loop.close();
});

test("where answers are quick a second one sets out half-way, and no more than that", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let now = 0;
  t.mock.method(performance, "now", () => now);
  const settle = async () => {
    for (let n = 0; n < 4; n++) await Promise.resolve();
  };
  const { loop, questions, heard } = made(2);
  loop.ask({ n: 1 });
  now = 60;
  questions[0].answer("one");
  await settle();
  assert.equal(loop.wait, 60);
  loop.ask({ n: 2 });
  now = 70;
  for (const n of [3, 4]) loop.ask({ n });
  assert.equal(questions.length, 2); // not yet half-way
  now = 92;
  t.mock.timers.tick(22);
  assert.deepEqual(questions[2].question, { n: 4 });
  now = 119;
  loop.ask({ n: 5 });
  t.mock.timers.tick(50);
  assert.equal(questions.length, 3);
  loop.ask({ n: 4 }); // is on its way
  questions[1].answer("two");
  await settle();
  assert.equal(questions.length, 3);
  questions[2].answer("four");
  await settle();
  assert.deepEqual(
    heard.map(([question]) => question.n),
    [1, 2, 4],
  );
  assert.ok(loop.isSettled({ n: 4 }));
  loop.close();
});

test("two questions set out 32 ms apart at least, however quick the answers", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let now = 0;
  t.mock.method(performance, "now", () => now);
  const { loop, questions } = made();
  loop.wait = 40;
  const asked = [];
  for (now = 0; now < 80; now += 16) {
    loop.ask({ n: now });
    asked.push(questions.length);
  }
  assert.deepEqual(asked, [1, 1, 2, 2, 2]);
  loop.close();
});

test("when the hand lets go, the last question waits for no answer and no time", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let now = 0;
  t.mock.method(performance, "now", () => now);
  const { loop, questions } = made();
  const asked = () => questions.map(({ question }) => question.n);
  loop.hurry(); // nothing was asked
  loop.wait = 80;
  loop.ask({ n: 1 });
  now = 40;
  loop.ask({ n: 2 });
  now = 45;
  loop.ask({ n: 3 });
  assert.deepEqual(asked(), [1, 2]);
  loop.hurry();
  assert.deepEqual(asked(), [1, 2, 3]);
  loop.hurry(); // it is on its way
  loop.ask({ n: 4 });
  loop.hurry(); // one more than usual, and no more
  t.mock.timers.tick(100);
  assert.deepEqual(asked(), [1, 2, 3]);
  loop.silent = true;
  loop.hurry();
  assert.deepEqual(asked(), [1, 2, 3]);
  loop.close();
});

test("a slow kernel is not hurried", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { loop, questions } = made();
  loop.ask({ n: 1 });
  loop.wait = 200;
  loop.ask({ n: 2 });
  loop.hurry();
  assert.equal(questions.length, 1);
  loop.close();
});

test("where answers are slow nothing overtakes: one question at a time", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let now = 0;
  t.mock.method(performance, "now", () => now);
  const { loop, questions } = made();
  loop.ask({ n: 1 });
  now = 200;
  questions[0].answer("one");
  for (let n = 0; n < 4; n++) await Promise.resolve();
  loop.ask({ n: 2 });
  now = 390;
  loop.ask({ n: 3 });
  t.mock.timers.tick(190);
  assert.equal(questions.length, 2);
  loop.close();
});

test("the newer answer comes first: the older one is not heard after it", async () => {
  const { loop, questions, heard } = made();
  loop.wait = 1;
  loop.ask({ n: 1 });
  loop.ask({ n: 2 });
  loop.hurry();
  assert.equal(questions.length, 2);
  questions[1].answer("two");
  await breathe();
  questions[0].answer("one");
  await breathe();
  assert.deepEqual(heard, [[{ n: 2 }, "two"]]);
  loop.close();
});

test("back where it was before the answer came, it asks again", async () => {
  const { loop, questions } = made();
  loop.settle({ n: 0 });
  loop.ask({ n: 0 });
  assert.equal(questions.length, 0);
  loop.ask({ n: 1 });
  loop.ask({ n: 0 });
  questions[0].answer("one");
  await breathe();
  assert.deepEqual(questions[1].question, { n: 0 });
  loop.close();
});

test("no kernel is told at once, and the next question tries again", async () => {
  const { loop, questions, heard, changes } = made();
  loop.ask({ n: 1 });
  questions[0].fail();
  await breathe();
  assert.equal(loop.silent, true);
  assert.equal(changes(), 1);
  loop.ask({ n: 2 });
  questions[1].answer("two");
  await breathe();
  assert.equal(loop.silent, false);
  assert.deepEqual(heard, [[{ n: 2 }, "two"]]);
  loop.close();
});

test("a page without anywidget's invoke has no kernel", async () => {
  const loop = new KernelLoop(undefined, { hear: () => {}, changed: () => {} });
  loop.ask({});
  await breathe();
  assert.equal(loop.silent, true);
});

test("a kernel that is silent for long is told, and its late answer still counts", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { loop, questions, heard } = made();
  loop.ask({ n: 1 });
  t.mock.timers.tick(499);
  assert.equal(loop.silent, false);
  t.mock.timers.tick(1);
  assert.equal(loop.silent, true);
  questions[0].answer("late");
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(loop.silent, false);
  assert.equal(heard.length, 1);
});

test("a kernel that says nothing is asked no second question", async (t) => {
  let now = 0;
  t.mock.method(performance, "now", () => now);
  const { loop, questions } = made();
  loop.wait = 20;
  loop.ask({ n: 1 });
  loop.tell(true);
  now = 600;
  loop.ask({ n: 2 });
  assert.equal(questions.length, 1);
  loop.close();
});

test("a question without an answer for long is asked again, also the same one", async (t) => {
  let now = 0;
  t.mock.method(performance, "now", () => now);
  const { loop, questions } = made();
  loop.ask({ n: 1 });
  now = 11_000;
  loop.ask({ n: 1 });
  assert.equal(questions.length, 1); // it has not been told that the kernel is silent
  loop.tell(true);
  loop.ask({ n: 1 });
  assert.equal(questions.length, 2);
  loop.close();
});

test("closed, it hears and asks nothing more", async () => {
  const { loop, questions, heard } = made();
  loop.ask({ n: 1 });
  loop.close();
  questions[0].answer("one");
  await breathe();
  loop.ask({ n: 2 });
  assert.deepEqual([questions.length, heard.length], [1, 0]);
});
