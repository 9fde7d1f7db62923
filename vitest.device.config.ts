import { defineConfig } from 'vitest/config'

// The suite for devices: npm run test:device. In one process, since a software device compiles for seconds what it computes.

// Vulkan's software devices count only where they are named. Processes that tests start, and workers, inherit it.
process.env.GGML_VK_VISIBLE_DEVICES ??= '0'
// There the processor computes what it waits for: it is to sleep meanwhile. Real devices only submit more often.
process.env.GGML_VK_SERIALIZE_SUBMISSIONS ??= '1'

// Vulkan's sums in half precision move logits by a tenth, and nothing that is wrong shall hide there.
// LOOKAHEAD_DEVICE_HALF=1 leaves them as they are.
if (!process.env.LOOKAHEAD_DEVICE_HALF) process.env.GGML_VK_DISABLE_F16 ??= '1'

export default defineConfig({
  test: {
    include: ['test/device/**/*.device.ts'],
    env: { LOOKAHEAD_PROFILES: 'off' },
    testTimeout: 7_200_000,
    hookTimeout: 7_200_000,
    maxWorkers: 1,
  },
})
