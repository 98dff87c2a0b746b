// Drives a robot, streams its camera and reads its events over gRPC. See ../README.md.

import { readFileSync } from "node:fs";
import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";

const { VECTOR_ADDRESS, VECTOR_NAME, VECTOR_CERT, VECTOR_GUID, VECTOR_PROTOCOL } = process.env;
const DEFAULT_PRIORITY = 20;
const COUNT = 5;
const DRIVE_MS = 1000;

const definitions = protoLoader.loadFileDescriptorSetFromBuffer(readFileSync(VECTOR_PROTOCOL), { keepCase: true });
const { ExternalInterface } = grpc.loadPackageDefinition(definitions).Anki.Vector.external_interface;

function connect(guid) {
  const token = grpc.credentials.createFromMetadataGenerator((_, done) => {
    const metadata = new grpc.Metadata();
    metadata.set("authorization", `Bearer ${guid}`);
    done(null, metadata);
  });
  const tls = grpc.credentials.createSsl(readFileSync(VECTOR_CERT));
  return new ExternalInterface(VECTOR_ADDRESS, grpc.credentials.combineChannelCredentials(tls, token), {
    "grpc.ssl_target_name_override": VECTOR_NAME,
  });
}

const call = (client, name, request) =>
  new Promise((resolve, reject) => {
    client[name](request, (error, answer) => (error ? reject(error) : resolve(answer)));
  });

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Counts the stream's messages that are wanted, up to COUNT. */
async function count(stream, wanted) {
  let found = 0;
  stream.on("error", () => {}); // that it was cancelled
  for await (const message of stream) {
    found += wanted(message) ? 1 : 0;
    if (found === COUNT) break;
  }
  stream.cancel();
  return found;
}

const robot = connect(VECTOR_GUID);
const battery = await call(robot, "BatteryState", {});
const events = await count(robot.EventStream({}), (message) => message.event?.robot_state);
const frames = await count(robot.CameraFeed({}), (message) => message.data.readUInt16BE(0) === 0xffd8);

const control = robot.BehaviorControl();
control.on("error", () => {});
control.write({ control_request: { priority: DEFAULT_PRIORITY } });
let granted = false;
for await (const answer of control) {
  granted = Boolean(answer.control_granted_response);
  if (granted) break;
}
await call(robot, "DriveWheels", { left_wheel_mmps: 50, right_wheel_mmps: 50 });
await pause(DRIVE_MS);
await call(robot, "DriveWheels", {});
await pause(300); // until the wheels stand
control.cancel();

const refused = await call(connect("wrong"), "BatteryState", {}).then(
  () => "answered",
  (error) => grpc.status[error.code],
);
console.log(JSON.stringify({ battery_volts: battery.battery_volts, events, frames, granted, refused }));
process.exit(0);
