version: str
compiler: str
cuda_version: str
cuda_architectures: str
