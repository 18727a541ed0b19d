/* Asks a worker for the exact posterior of an image: half a second's work, which would hold up the pen. */

import { byId } from "./page.js";

export class Solver {
  /** weights: the decoder's; rule: for bounds. answered(posterior_worker.js's answer) gets the newest image's alone. */
  constructor(weights, rule, answered) {
    const source = new Blob([JSON.parse(byId("worker").textContent)], { type: "text/javascript" });
    this.worker = new Worker(URL.createObjectURL(source));
    this.worker.onmessage = ({ data }) => {
      this.busy = false;
      if (this.wanted) this.send();
      else if (!this.dropped) answered(data);
    };
    this.worker.postMessage({ weights, rule });
  }

  /** encoded: the encoder's Q. */
  solve(image, encoded) {
    this.wanted = { image, encoded };
    if (!this.busy) this.send();
  }

  /** What is being solved for is no longer of interest. */
  drop() {
    Object.assign(this, { wanted: null, dropped: true });
  }

  send() {
    this.worker.postMessage(this.wanted);
    Object.assign(this, { busy: true, dropped: false, wanted: null });
  }
}
