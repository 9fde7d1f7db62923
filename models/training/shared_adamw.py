"""AdamW for several processes that train one model in shared memory."""
import math

import torch
import torch.multiprocessing as multiprocessing


class SharedAdamW:
    """AdamW over parameters in shared memory: several processes, one thread each, update them in turn without waiting for one another.

    Gradients may be a step old, which does no harm with a few workers; what is gained is that no barrier makes a free core wait for
    a busy one.
    """

    def __init__(self, parameters, betas=(0.9, 0.98), decay=0.05, epsilon=1e-8):
        self.parameters = list(parameters)
        self.betas, self.decay, self.epsilon = betas, decay, epsilon
        self.mean = [torch.zeros_like(p).share_memory_() for p in self.parameters]
        self.square = [torch.zeros_like(p).share_memory_() for p in self.parameters]
        self.steps = multiprocessing.Value("l", 0)
        self.lock = multiprocessing.Lock()

    @torch.no_grad()
    def step(self, rate):
        present = [i for i, p in enumerate(self.parameters) if p.grad is not None]
        gradients = [self.parameters[i].grad for i in present]
        pick = lambda tensors: [tensors[i] for i in present]
        with self.lock:
            self.steps.value += 1
            first, second = (1 - beta ** self.steps.value for beta in self.betas)
            torch._foreach_mul_(pick(self.mean), self.betas[0])
            torch._foreach_add_(pick(self.mean), gradients, alpha=1 - self.betas[0])
            torch._foreach_mul_(pick(self.square), self.betas[1])
            torch._foreach_addcmul_(pick(self.square), gradients, gradients, 1 - self.betas[1])
            scale = torch._foreach_sqrt(pick(self.square))
            torch._foreach_div_(scale, math.sqrt(second))
            torch._foreach_add_(scale, self.epsilon)
            torch._foreach_mul_([self.parameters[i] for i in present if self.parameters[i].dim() > 1], 1 - rate * self.decay)
            torch._foreach_addcdiv_(pick(self.parameters), pick(self.mean), scale, -rate / first)

    def state(self):
        return {"mean": self.mean, "square": self.square, "steps": self.steps.value}

    def restore(self, state):
        for ours, theirs in ((self.mean, state["mean"]), (self.square, state["square"])):
            for tensor, saved in zip(ours, theirs):
                tensor.copy_(saved)
        self.steps.value = state["steps"]
