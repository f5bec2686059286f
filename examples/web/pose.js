// From a picture and a person's box to joints, as deploy.py does it. No imports: a page gives it onnxruntime-web.
// Pictures are {data: RGBA bytes, width, height}, such as a canvas's ImageData. Points are x, y in picture pixels;
// (0, 0) is the centre of the top-left pixel. The metadata is described in docs/schemas/model-metadata.schema.json.

const METADATA_KEY = "simple_baselines_pose";
const METADATA_VERSION = 1;
const COCO_LIMBS = [
  [15, 13], [13, 11], [16, 14], [14, 12], [11, 12], [5, 11], [6, 12], [5, 6], [5, 7], [6, 8], [7, 9], [8, 10], [1, 2],
  [0, 1], [0, 2], [1, 3], [2, 4], [3, 5], [4, 6],
];
const COCO_JOINTS = [
  "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
  "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
  "right_ankle",
];

// What stands for the metadata of a file without any, as deploy.py --dataset coco has it; color_rgb is its --rgb.
export const COCO = {
  skeleton: {
    name: "coco",
    joints: COCO_JOINTS,
    limbs: COCO_LIMBS.map((ends) => ends.map((joint) => COCO_JOINTS[joint])),
  },
  color_rgb: false,
  pixel_scale: 255,
  mean: [0.485, 0.456, 0.406],
  deviation: [0.229, 0.224, 0.225],
  padding: 1.25,
  decode: "quarter",
  unbiased: false,
};

// ---- the ONNX file's metadata, which onnxruntime-web does not hand out ----------------------------------------------

// The [field number, bytes or number] pairs of a protobuf message.
function* fieldsOf(bytes) {
  let place = 0;
  const varint = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      if (place >= bytes.length || factor > 2 ** 63) throw new Error("this is not an ONNX file");
      const byte = bytes[place++];
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (place < bytes.length) {
    const tag = varint();
    const kind = tag % 8;
    if (kind === 0) {
      yield [Math.floor(tag / 8), varint()];
      continue;
    }
    const length = { 1: () => 8, 2: varint, 5: () => 4 }[kind]?.();
    if (length === undefined || place + length > bytes.length) throw new Error("this is not a whole ONNX file");
    yield [Math.floor(tag / 8), bytes.subarray(place, place + length)];
    place += length;
  }
}

// The metadata that export.py wrote into an ONNX file (a Uint8Array), or null. ModelProto has a field 14,
// metadata_props, for each entry, and in it the key is field 1 and the value field 2.
export function readMetadata(bytes) {
  for (const [field, entry] of fieldsOf(bytes)) {
    if (field !== 14) continue;
    const { 1: key, 2: value } = Object.fromEntries(fieldsOf(entry));
    if (new TextDecoder().decode(key) !== METADATA_KEY) continue;
    const metadata = JSON.parse(new TextDecoder().decode(value));
    if (metadata.version > METADATA_VERSION) throw new Error(`metadata of the newer version ${metadata.version}`);
    return metadata;
  }
  return null;
}

// ---- the crop -------------------------------------------------------------------------------------------------------

// {center: [x, y], width} of the crop around a box [x, y, width, height]: widened or heightened to the input's aspect,
// then grown. Lengths are rounded to float32 where lib/core/transforms.py does.
export function cropOfBox([x, y, width, height], [inputWidth, inputHeight], padding) {
  const fitted = Math.max(width, (height * inputWidth) / inputHeight);
  const scale = Math.fround(Math.fround(fitted / 200) * Math.fround(padding));
  return { center: [Math.fround(x + width / 2), Math.fround(y + height / 2)], width: Math.fround(scale * 200) };
}

// What one pixel of a grid over the crop is in picture pixels, on each axis; the grid's middle is the crop's centre.
function stepOf({ center: [x, y], width }, gridWidth) {
  const top = Math.fround(y - width / 2);
  const left = Math.fround(x - Math.fround(y - top));
  return [(x - left) / (gridWidth / 2), (y - top) / (gridWidth / 2)];
}

// The crop as the network's input: Float32Array of 3 planes. Bilinear between pixels, black outside the picture, and
// rounded to whole grey levels, as OpenCV's warpAffine does.
export function cropToInput(picture, crop, metadata) {
  const [width, height] = metadata.image_size;
  const [stepX, stepY] = stepOf(crop, width);
  const input = new Float32Array(3 * width * height);
  const channels = metadata.color_rgb ? [0, 1, 2] : [2, 1, 0]; // places in RGBA
  const factors = metadata.deviation.map((deviation) => Math.fround(1 / (metadata.pixel_scale * deviation)));
  const offsets = metadata.mean.map((mean, channel) => Math.fround(-mean / metadata.deviation[channel]));
  const at = (x, y, channel) =>
    x < 0 || y < 0 || x >= picture.width || y >= picture.height ? 0 : picture.data[4 * (y * picture.width + x) + channel];
  for (let row = 0; row < height; row++) {
    const y = crop.center[1] + (row - height / 2) * stepY;
    const top = Math.floor(y);
    for (let column = 0; column < width; column++) {
      const x = crop.center[0] + (column - width / 2) * stepX;
      const left = Math.floor(x);
      channels.forEach((channel, plane) => {
        const above = at(left, top, channel) * (1 - x + left) + at(left + 1, top, channel) * (x - left);
        const below = at(left, top + 1, channel) * (1 - x + left) + at(left + 1, top + 1, channel) * (x - left);
        const grey = Math.round(above * (1 - y + top) + below * (y - top));
        input[(plane * height + row) * width + column] = Math.fround(grey * factors[plane]) + offsets[plane];
      });
    }
  }
  return input;
}

// ---- heatmaps to joints ---------------------------------------------------------------------------------------------

// [[x, y, score], ...] in heatmap pixels of `joints` heatmaps (a Float32Array): the highest pixel, moved by a quarter
// towards the higher neighbour on each axis; near the border, and where nothing is above 0, it stays.
export function decodeHeatmaps(values, joints, width, height, decode = "quarter") {
  const found = [];
  for (let joint = 0; joint < joints; joint++) {
    const map = values.subarray(joint * width * height, (joint + 1) * width * height);
    let best = 0;
    for (let place = 1; place < map.length; place++) if (map[place] > map[best]) best = place;
    const score = map[best];
    if (!(score > 0)) best = 0;
    let [x, y] = [best % width, Math.floor(best / width)];
    if (decode === "quarter" && x > 1 && x < width - 1 && y > 1 && y < height - 1) {
      x += 0.25 * Math.sign(map[best + 1] - map[best - 1]);
      y += 0.25 * Math.sign(map[best + width] - map[best - width]);
    }
    found.push([x, y, score]);
  }
  return found;
}

// Heatmap pixels [[x, y, score], ...] -> picture pixels.
export function toPicture(found, crop, width, height) {
  const [stepX, stepY] = stepOf(crop, width);
  const [x0, y0] = crop.center;
  return found.map(([x, y, score]) => [x0 + (x - width / 2) * stepX, y0 + (y - height / 2) * stepY, score]);
}

// ---- all of it ------------------------------------------------------------------------------------------------------

// A model to call `estimatePose` with. ort: onnxruntime-web; bytes: the ONNX file, a Uint8Array; assumed: what stands
// for the metadata of a file that has none, such as {...COCO, color_rgb: true}.
export async function loadModel(ort, bytes, assumed = null) {
  const metadata = readMetadata(bytes) ?? (assumed && { ...assumed });
  if (!metadata) throw new Error("the model has no metadata: export.py writes it; for others say ?joints=coco (&rgb)");
  if (!["quarter", "none"].includes(metadata.decode) || metadata.unbiased) {
    throw new Error(`this example does not decode ${metadata.unbiased ? "unbiased" : metadata.decode} heatmaps`);
  }
  const session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
  const [, , height, width] = session.inputMetadata[0].shape; // open sides are names
  metadata.image_size ??= [width, height];
  if (!metadata.image_size.every(Number.isInteger)) throw new Error("the model leaves its input size open");
  return { ort, session, metadata };
}

// The joints [[x, y, score], ...] of the person in a box [x, y, width, height] of a picture.
export async function estimatePose({ ort, session, metadata }, picture, box) {
  const [width, height] = metadata.image_size;
  const crop = cropOfBox(box, metadata.image_size, metadata.padding);
  const input = new ort.Tensor("float32", cropToInput(picture, crop, metadata), [1, 3, height, width]);
  const outputs = await session.run({ [session.inputNames[0]]: input });
  const joints = metadata.skeleton.joints.length;
  const heatmaps = Object.values(outputs).find(({ dims }) => dims.length === 4 && dims[1] === joints);
  if (!heatmaps) throw new Error(`the model has no heatmaps of ${joints} joints`);
  const [, , rows, columns] = heatmaps.dims;
  if (rows * width !== columns * height) throw new Error("give an input size that is a multiple of 32");
  return toPicture(decodeHeatmaps(heatmaps.data, joints, columns, rows, metadata.decode), crop, columns, rows);
}
