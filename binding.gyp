{
  # The CPU-only alternative to CMakeLists.txt, for systems with node-gyp but without CMake: npx node-gyp rebuild
  "targets": [{
    "target_name": "sinogram",
    "sources": ["<!@(node -p \"['native/sources.txt','native/napi/sources.txt'].map(f=>require('fs').readFileSync(f,'utf8').trim()).join('\\n')\")"],
    "include_dirs": [".", "<!(node -p \"require('node-addon-api').include_dir\")"],
    "defines": ["NAPI_VERSION=8", "NAPI_CPP_EXCEPTIONS", "NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
    "cflags!": ["-fno-exceptions", "-fno-rtti"],
    "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17", "-std=gnu++20"],
    "cflags_cc": ["-std=gnu++20", "-O3", "-fno-math-errno", "-Wno-psabi", "-fvisibility=hidden"],
    "conditions": [
      ["target_arch=='x64' and OS=='linux'", { "cflags_cc": ["-march=x86-64-v2"] }],
      ["OS=='mac'", { "xcode_settings": { "GCC_ENABLE_CPP_EXCEPTIONS": "YES", "CLANG_CXX_LANGUAGE_STANDARD": "c++20", "MACOSX_DEPLOYMENT_TARGET": "11.0" } }]
    ]
  }]
}
