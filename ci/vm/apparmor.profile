# The policy of the kernel lane's machine with AppArmor: everything but one directory.
# Containers are outside of the name space in which paths are known (attach_disconnected).
abi <abi/3.0>,

profile oci-lane-confined flags=(attach_disconnected,mediate_deleted) {
  capability,
  file,
  mount,
  network,
  pivot_root,
  ptrace,
  signal,
  umount,
  unix,

  deny /denied/** rwklx,
}
