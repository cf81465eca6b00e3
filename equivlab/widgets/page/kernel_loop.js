// @ts-check
// Questions to the kernel: one is on its way at a time, and when its answer comes only the latest
// of those that have come up meanwhile is asked, so nothing queues up.

const PATIENCE = 500; // ms without an answer after which a page says so, if answers are quick
const RETRY = 10_000; // ms after which a question counts as lost

/**
 * @typedef {(name: string, message: any, options: { signal: AbortSignal }) => Promise<[any, DataView[]]>} Invoke
 * @typedef {object} Listener
 * @property {(answer: any, buffers: DataView[], question: any) => void} hear an answer has come
 * @property {() => void} changed `silent` has changed
 */

/** One view's questions; `invoke` gives each its own id, so that no view takes another's answer. */
export class KernelLoop {
  /**
   * @param {Invoke | undefined} invoke of anywidget, or of the stand-in of an exported page
   * @param {Listener} listener
   */
  constructor(invoke, listener) {
    this.invoke = invoke;
    this.listener = listener;
    this.closing = new AbortController();
    this.silent = !invoke; // no kernel, or one that is busy
    this.asked = this.answered = 0;
    /** @type {number | undefined} */
    this.wait = undefined; // ms that the last answer took
    /** @type {any} */
    this.latest = undefined;
    /** @type {{ question: any, began: number } | undefined} */
    this.open = undefined;
    this.settled = "";
  }

  /** This question needs no answer any more: it is known. @param {any} question */
  settle(question) {
    this.settled = JSON.stringify(question);
  }

  /** Whether the last answer was to this question. @param {any} question */
  isSettled(question) {
    return this.settled === JSON.stringify(question);
  }

  /** This is to be known now; it is asked unless the answer is here. @param {any} question */
  ask(question) {
    this.latest = question;
    this.next();
  }

  next() {
    if (this.isSettled(this.latest) || this.closing.signal.aborted) return;
    const lost = this.silent && this.open && performance.now() - this.open.began > RETRY;
    if (this.open && !lost) return;
    const open = { question: this.latest, began: performance.now() };
    this.open = open;
    this.asked += 1;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.tell(true), Math.max(PATIENCE, 3 * (this.wait ?? 0)));
    this.send(open);
  }

  /** @param {{ question: any, began: number }} open */
  async send(open) {
    try {
      if (!this.invoke) throw new Error("no kernel");
      const { signal } = this.closing;
      const [answer, buffers] = await this.invoke("ask", open.question, { signal });
      if (signal.aborted) return;
      if (open === this.open) this.take(open, answer, buffers);
    } catch {
      if (open !== this.open || this.closing.signal.aborted) return;
      this.open = undefined; // the next question tries again
      clearTimeout(this.timer);
      this.tell(true);
    }
  }

  /** @param {{ question: any, began: number }} open @param {any} answer @param {DataView[]} buffers */
  take({ question, began }, answer, buffers) {
    clearTimeout(this.timer);
    this.open = undefined;
    this.answered += 1;
    this.wait = performance.now() - began;
    this.settle(question);
    this.silent = false;
    this.listener.hear(answer, buffers, question);
    this.next();
  }

  /** @param {boolean} silent */
  tell(silent) {
    if (this.silent === silent) return;
    this.silent = silent;
    this.listener.changed();
  }

  close() {
    clearTimeout(this.timer);
    this.closing.abort();
  }
}
