//= until forward

template <typename T, template <typename, int> typename Layout>
cudaError_t Kernels<T, Layout>::forward(const Layout<T, 1>& self, const Coefficients& coefficients,
                                        cudaStream_t stream) {
  return launch(self, Value<element_t<T>>{coefficients}, stream);
}

template <typename T, template <typename, int> typename Layout>
cudaError_t Kernels<T, Layout>::backward_from_input(const Layout<T, 2>& operands,
                                                    const Coefficients& coefficients,
                                                    cudaStream_t stream) {
  return launch(operands, Backward<element_t<T>>{coefficients}, stream);
}

template <typename T, template <typename, int> typename Layout>
cudaError_t Kernels<T, Layout>::backward_from_result(const Layout<T, 2>& operands,
                                                     const Coefficients& coefficients,
                                                     cudaStream_t stream) {
  return launch(operands, BackwardFromResult<element_t<T>>{coefficients}, stream);
}

template struct Kernels<double, Dense>;
template struct Kernels<float, Dense>;
template struct Kernels<__half, Dense>;
template struct Kernels<__nv_bfloat16, Dense>;
template struct Kernels<double, Strided>;
template struct Kernels<float, Strided>;
template struct Kernels<__half, Strided>;
template struct Kernels<__nv_bfloat16, Strided>;

}  // namespace torch_elu::cuda
