// What the gateway says of cameras: types alone.

/**
 * @typedef {{
 *   emotion: string, confidence: number, box: number[], probabilities: Record<string, number>,
 *   track?: string | null, label?: string | null, smoothed?: Record<string, number> | null,
 *   turn_degrees?: number | null, sharpness?: number | null,
 * }} Face
 */
/**
 * @typedef {{
 *   total_ms: number, queue_ms: number, wait_ms: number,
 *   decode_ms: number, detect_ms: number, classify_ms: number,
 * }} Latency
 */
/**
 * @typedef {{
 *   camera: string, frame_id: string, width: number, height: number, faces: Face[],
 *   latency: Latency, model: { name: string, version: string, detector: string },
 * }} EmotionEvent
 */
/**
 * @typedef {{
 *   camera: string, width: number, height: number, fps: number, analysed_fps: number,
 *   last_frame_ms: number | null, owner: string | null, backlog: number | null,
 *   verdict: string, reason: string, stale: boolean, title?: string, group?: string,
 * }} CameraStatus
 */

export {};
