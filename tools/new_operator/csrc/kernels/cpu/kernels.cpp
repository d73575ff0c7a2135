//= until EntryPoints

template <typename T>
struct EntryPoints {
  using Coefficients = torch_elu::Coefficients<T>;
  using Lanes = simd::Lanes<T>;

  static void forward(T* out, std::ptrdiff_t out_stride, const T* self, std::ptrdiff_t self_stride,
                      std::ptrdiff_t n, const Coefficients& coefficients, Store store) {
    Input<T> x(self, self_stride);
    map<Lanes>(Value<T>{coefficients}, store, out, out_stride, n, x);
  }

  template <typename Function>
  static void backward(T* grad_input, std::ptrdiff_t grad_input_stride, const T* grad_output,
                       std::ptrdiff_t grad_output_stride, const T* saved,
                       std::ptrdiff_t saved_stride, std::ptrdiff_t n,
                       const Coefficients& coefficients, Store store) {
    Input<T> grad(grad_output, grad_output_stride), x(saved, saved_stride);
    map<Lanes>(Function{coefficients}, store, grad_input, grad_input_stride, n, grad, x);
  }

  static constexpr Kernels<T> kernels{forward, backward<Backward<T>>,
                                      backward<BackwardFromResult<T>>};
};

}  // namespace

//= TORCH_ELU_TABLE

}  // namespace torch_elu::cpu
