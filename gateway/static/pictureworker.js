// Receives and decodes pictures in a thread of its own: with many cameras that would take most of the
// page's time.
import { PictureStream } from "./picturestream.js";

/**
 * `width`: pixels that a picture has on the screen, 0 for all of it.
 * @typedef {{ address: string, names: string[], fps: number, width: number }} Order
 */
/** @typedef {{ camera: string, frameId: string, bitmap: ImageBitmap }} Picture */

const WORTH_IT = 1.25; // a picture that is wider by less is not made smaller

/** @type {PictureStream | null} */
let stream = null;
let wanted = 0;

onmessage = (/** @type {MessageEvent<Order>} */ { data: { address, names, fps, width } }) => {
  wanted = width;
  stream ??= new PictureStream(address, pass);
  stream.watch(names, fps);
};

/**
 * @param {string} camera
 * @param {string} frameId
 * @param {Uint8Array<ArrayBuffer>} jpeg
 */
async function pass(camera, frameId, jpeg) {
  const bitmap = await decode(new Blob([jpeg], { type: "image/jpeg" })).catch(() => null);
  // @ts-ignore: the library of types knows windows alone
  if (bitmap) postMessage({ camera, frameId, bitmap }, [bitmap]);
}

/** @param {Blob} blob */
async function decode(blob) {
  const bitmap = await createImageBitmap(blob);
  if (!wanted || bitmap.width < wanted * WORTH_IT) return bitmap;
  const smaller = await createImageBitmap(bitmap, { resizeWidth: wanted, resizeQuality: "medium" });
  bitmap.close();
  return smaller;
}
