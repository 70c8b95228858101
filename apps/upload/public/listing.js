// What the server has, as it was when it was asked, and as it is told since. Each event may come twice: it says what is,
// not what changed. No page in here.

export const eventNames = [
  "upload.begun", "upload.progress", "upload.paused", "upload.resumed", "upload.ended", "file.added", "file.deleted", "file.restored",
];

export class Listing {
  /** `list` is that of GET files; `who` is this user. */
  constructor(list, who) {
    Object.assign(this, { who, quota: list.quota, limit: list.limit, position: list.position });
    this.files = new Map(list.files.map((file) => [file.id, file]));
    this.running = new Map(list.running.map((run) => [run.id, run]));
    this.deleted = new Map(list.deleted.map((file) => [file.id, file])); // this user's
  }

  #remove(id, till) {
    const file = this.files.get(id);
    this.files.delete(id);
    if (file?.owner === this.who) this.deleted.set(id, { ...file, till });
  }

  apply(name, data) {
    if (name === "file.added" || name === "file.restored") {
      this.files.set(data.id, data);
      this.deleted.delete(data.id);
    } else if (name === "file.deleted") this.#remove(data.id, data.till);
    else if (name === "upload.begun") this.running.set(data.id, data);
    else if (this.running.has(data.id)) this.#follow(name, this.running.get(data.id), data);
  }

  // One that has expired is shown until its owner has seen it.
  #follow(name, run, data) {
    if (name === "upload.ended" && data.error?.errorCode === "expired" && run.owner === this.who) run.expired = true;
    else if (name === "upload.ended") this.running.delete(run.id);
    else if (name === "upload.progress") run.progress = data;
    else run.paused = name === "upload.paused";
  }

  /** Bytes of this user's that are there, or on their way. */
  get used() {
    const own = ({ owner }) => owner === this.who;
    return [...this.files.values()].filter(own).reduce((sum, { size }) => sum + size, 0)
      + [...this.running.values()].filter((run) => own(run) && !run.expired).reduce((sum, { total }) => sum + (total ?? 0), 0);
  }

  get left() {
    return Math.max(this.quota - this.used, 0);
  }

  /** The newest first. */
  get sorted() {
    return [...this.files.values()].sort((a, b) => b.at - a.at || (a.id < b.id ? -1 : 1));
  }

  /** What can be restored at that time, in seconds. */
  deletedAt(now) {
    return [...this.deleted.values()].filter(({ till }) => till > now).sort((a, b) => b.till - a.till);
  }

  /** Uploads of others, and of this user's those that are sent. */
  get sent() {
    return [...this.running.values()].filter((run) => !this.#isUnfinished(run));
  }

  /** This user's that nobody sends: paused, left somewhere, or expired. */
  get unfinished() {
    return [...this.running.values()].filter((run) => this.#isUnfinished(run));
  }

  #isUnfinished({ owner, tus, paused, expired, progress }) {
    return owner === this.who && tus && (paused || expired || progress?.stage === "waiting");
  }

  /** This user's upload of that fingerprint, to go on with. */
  find(fingerprint) {
    return [...this.running.values()].find((run) => run.owner === this.who && run.fingerprint === fingerprint && !run.expired);
  }

  /** Whether this user has a file of that name. */
  has(path) {
    return [...this.files.values()].some(({ owner, name }) => owner === this.who && name === path);
  }
}
