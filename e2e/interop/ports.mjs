// Lets a program run as it stands while its ports are others: PORTS={"5001":40123,…}, used with `node --import`.
import net from "node:net";

const ports = JSON.parse(process.env.PORTS);
const other = (port) => ports[port] ?? port;

const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function (...given) {
  // What net.connect() hands on is a list of the options and the callback.
  const options = Array.isArray(given[0]) ? given[0][0] : given[0];
  if (options && typeof options === "object") options.port = other(options.port);
  return connect.apply(this, given);
};

const { listen } = net.Server.prototype;
net.Server.prototype.listen = function (port, ...given) {
  return listen.call(this, other(port), ...given);
};
