/*
 * llm.c as a participant (see bench/child.ts). It is not bundled: built against a checkout, as its Makefile builds it,
 * by gcc -O3 -march=native -ffast-math -fopenmp -DOMP -I CHECKOUT llm_c.c -lm. It has no clipping, which is left out.
 */
#define TESTING /* leaves out the checkout's main */
#include <train_gpt2.c>

static double now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return 1e3 * time.tv_sec + 1e-6 * time.tv_nsec;
}

/* The number after "key" in a flat JSON object of numbers. */
static int number(const char *json, const char *key) {
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *found = strstr(json, quoted);
    if (!found) { fprintf(stderr, "%s is missing in %s\n", key, json); exit(1); }
    return atoi(found + strlen(quoted));
}

static unsigned state = 1337;
static unsigned next_random(void) {
    state = state * 1664525u + 1013904223u;
    return state >> 8; /* 24 bits */
}

/* Uniform weights of GPT-2's standard deviation 0.02; LayerNorm's scales one, biases zero. */
static void initialize(GPT2 *model) {
    ParameterTensors *p = &model->params;
    float *norms[] = {p->ln1w, p->ln2w, p->lnfw};
    float *biases[] = {p->ln1b, p->qkvb, p->attprojb, p->ln2b, p->fcb, p->fcprojb, p->lnfb};
    size_t norm_index[] = {2, 8, 14}, bias_index[] = {3, 5, 7, 9, 11, 13, 15};
    for (size_t i = 0; i < model->num_parameters; i++) {
        model->params_memory[i] = 0.02f * 3.4641016f * (next_random() / 16777216.0f - 0.5f);
    }
    for (int t = 0; t < 3; t++) for (size_t i = 0; i < model->param_sizes[norm_index[t]]; i++) norms[t][i] = 1.0f;
    for (int t = 0; t < 7; t++) for (size_t i = 0; i < model->param_sizes[bias_index[t]]; i++) biases[t][i] = 0.0f;
}

int main(int count, char **arguments) {
    const char *shape = arguments[count - 1];
    int B = number(shape, "batch"), T = number(shape, "context"), V = number(shape, "vocabulary");
    GPT2 model = {0};
    model.config.max_seq_len = T;
    model.config.vocab_size = V;
    model.config.padded_vocab_size = (V + 127) / 128 * 128; /* as llm.c's own checkpoints have it */
    model.config.num_layers = number(shape, "layers");
    model.config.num_heads = number(shape, "heads");
    model.config.channels = number(shape, "channels");
    fill_in_parameter_sizes(model.param_sizes, model.config);
    for (int i = 0; i < NUM_PARAMETER_TENSORS; i++) model.num_parameters += model.param_sizes[i];
    model.params_memory = malloc_and_point_parameters(&model.params, model.param_sizes);
    model.mean_loss = -1.0f;
    initialize(&model);
    int *tokens = malloc((B * T + 1) * sizeof(int));
    for (int i = 0; i <= B * T; i++) tokens[i] = next_random() % V;
    printf("{\"ready\": \"llm.c, %d threads\"}\n", omp_get_max_threads());
    fflush(stdout);
    char line[256];
    for (int updates = 0; fgets(line, sizeof line, stdin);) {
        double start = now_ms();
        for (int steps = number(line, "steps"); steps > 0; steps--) {
            gpt2_forward(&model, tokens, tokens + 1, B, T);
            gpt2_zero_grad(&model);
            gpt2_backward(&model);
            gpt2_update(&model, 1e-3f, 0.9f, 0.99f, 1e-8f, 0.1f, ++updates);
        }
        printf("{\"elapsedMs\": %.3f, \"loss\": %.6f}\n", now_ms() - start, model.mean_loss);
        fflush(stdout);
    }
    return 0;
}
