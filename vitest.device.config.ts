import { defineConfig } from 'vitest/config'

// The suite for devices: npm run test:device. In one process, since a software device compiles for seconds what it computes.

// Vulkan's software devices count only where they are named. Processes that tests start, and workers, inherit it.
process.env.GGML_VK_VISIBLE_DEVICES ??= '0'

export default defineConfig({
  test: {
    include: ['test/device/**/*.device.ts'],
    env: { LOOKAHEAD_PROFILES: 'off' },
    testTimeout: 1_800_000,
    hookTimeout: 1_800_000,
    maxWorkers: 1,
  },
})
