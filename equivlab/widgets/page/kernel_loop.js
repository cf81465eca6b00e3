// @ts-check
// Questions to the kernel: one is on its way at a time, and when its answer comes only the latest
// of those that have come up meanwhile is asked, so nothing queues up. Where answers are quick most
// of the wait is the way there and back: then two are on their way, evenly spread, and a third when
// the hand lets go.

const PATIENCE = 500; // ms without an answer after which a page says so, if answers are quick
const RETRY = 10_000; // ms after which a question counts as lost
const QUICK = 150; // ms that an answer takes at most for more than one question to be on its way
const APART = 32; // ms between two of them at least: more of them would only lengthen each other's way

/**
 * @typedef {(name: string, message: any, options: { signal: AbortSignal }) => Promise<[any, DataView[]]>} Invoke
 * @typedef {object} Listener
 * @property {(answer: any, buffers: DataView[], question: any) => void} hear an answer has come
 * @property {() => void} changed `silent` has changed
 * @typedef {{ question: any, began: number }} Open
 */

/** One view's questions; `invoke` gives each its own id, so that no view takes another's answer. */
export class KernelLoop {
  /**
   * @param {Invoke | undefined} invoke of anywidget, or of the stand-in of an exported page
   * @param {Listener} listener
   * @param {number} [most] questions on their way, where answers are quick
   */
  constructor(invoke, listener, most = 2) {
    this.invoke = invoke;
    this.most = most;
    this.listener = listener;
    this.closing = new AbortController();
    this.silent = !invoke; // no kernel, or one that is busy
    this.asked = this.answered = 0;
    /** @type {number | undefined} */
    this.wait = undefined; // ms that the last answer took
    /** @type {any} */
    this.latest = undefined;
    /** @type {Open[]} */
    this.open = []; // on their way, the oldest first
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

  /** The hand rests: what it asked last waits for no other answer. */
  hurry() {
    if (this.open.length) this.next(true);
  }

  next(resting = false) {
    clearTimeout(this.following);
    const now = performance.now();
    const age = now - (this.open.at(-1)?.began ?? now);
    if (this.silent && age > RETRY) this.open = []; // lost
    const newest = this.open.at(-1);
    const known = newest ? JSON.stringify(newest.question) : this.settled; // or will be
    if (this.closing.signal.aborted || known === JSON.stringify(this.latest)) return;
    if (newest) {
      const { wait = QUICK } = this;
      const most = resting ? this.most + 1 : this.most;
      if (this.silent || this.open.length >= most || wait >= QUICK) return;
      const rest = resting ? 0 : Math.max(wait / this.most, APART) - age;
      if (rest > 0) {
        this.following = setTimeout(() => this.next(), rest);
        return;
      }
    }
    const open = { question: this.latest, began: now };
    this.open.push(open);
    this.asked += 1;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.tell(true), Math.max(PATIENCE, 3 * (this.wait ?? 0)));
    this.send(open);
  }

  /** @param {Open} open */
  async send(open) {
    try {
      if (!this.invoke) throw new Error("no kernel");
      const { signal } = this.closing;
      const [answer, buffers] = await this.invoke("ask", open.question, { signal });
      if (signal.aborted) return;
      if (this.open.includes(open)) this.take(open, answer, buffers);
    } catch {
      if (!this.open.includes(open) || this.closing.signal.aborted) return;
      this.open = []; // the next question tries again
      clearTimeout(this.timer);
      this.tell(true);
    }
  }

  /** @param {Open} open @param {any} answer @param {DataView[]} buffers */
  take(open, answer, buffers) {
    const { question, began } = open;
    this.open = this.open.slice(this.open.indexOf(open) + 1); // a kernel answers in order
    if (!this.open.length) clearTimeout(this.timer);
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
    clearTimeout(this.following);
    this.closing.abort();
  }
}
