// For `require("sinogram")`: Node 20.19 and newer load ES modules this way.
module.exports = require("./dist/index.js");
