//! Network devices of the trial's own network namespace, made with messages of rtnetlink(7).

use std::os::fd::AsRawFd;

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};

use crate::trial::Stop;

/// `NLMSG_ERROR`: the answer to a request that asks for one, with errno 0 for success.
const ERROR: u16 = 2;
const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
/// `NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL`.
const FLAGS: u16 = 0x1 | 0x4 | 0x400 | 0x200;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;

/// A device to make; it is down, as the kernel makes them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Device {
    /// Its name.
    pub(super) name: &'static str,
    /// Its index: one that the namespace does not have.
    pub(super) index: u32,
    /// Its MTU.
    pub(super) mtu: u32,
    /// Its hardware address.
    pub(super) mac: [u8; 6],
    /// A permanent IPv4 address of global scope, with the length of its prefix.
    pub(super) address: ([u8; 4], u8),
}

/// Makes a device of the first kind that the kernel has; one of that name is left as it is.
///
/// # Errors
/// [`Stop::Inapplicable`] if the kernel has no kind of virtual device; [`Stop::Broken`] if a
/// request fails for another reason.
pub(super) fn add(device: &Device) -> Result<(), Stop> {
    for kind in ["dummy", "veth"] {
        match request(RTM_NEWLINK, &link(device, kind)) {
            Ok(()) => {
                return request(RTM_NEWADDR, &address(device))
                    .map_err(|errno| Stop::Broken(format!("RTM_NEWADDR({device:?}): {errno}")));
            }
            Err(nix::Error::EEXIST) => return Ok(()),
            Err(nix::Error::EOPNOTSUPP) => {}
            Err(errno) => {
                return Err(Stop::Broken(format!(
                    "RTM_NEWLINK({device:?}, {kind:?}): {errno}"
                )));
            }
        }
    }
    Err(Stop::Inapplicable(
        "virtual network devices (dummy or veth) in the kernel".into(),
    ))
}

/// `struct ifinfomsg` and its attributes.
fn link(device: &Device, kind: &str) -> Vec<u8> {
    let mut body = vec![0; 4];
    body.extend(device.index.to_ne_bytes());
    body.extend([0; 8]);
    attribute(
        &mut body,
        IFLA_IFNAME,
        &[device.name.as_bytes(), b"\0"].concat(),
    );
    attribute(&mut body, IFLA_MTU, &device.mtu.to_ne_bytes());
    attribute(&mut body, IFLA_ADDRESS, &device.mac);
    let mut info = Vec::new();
    attribute(&mut info, IFLA_INFO_KIND, kind.as_bytes());
    attribute(&mut body, IFLA_LINKINFO, &info);
    body
}

/// `struct ifaddrmsg` and its attributes; scope 0 is the universe.
fn address(device: &Device) -> Vec<u8> {
    let (address, prefix) = device.address;
    let mut body = vec![AddressFamily::Inet as u8, prefix, 0, 0];
    body.extend(device.index.to_ne_bytes());
    attribute(&mut body, IFA_LOCAL, &address);
    attribute(&mut body, IFA_ADDRESS, &address);
    body
}

/// Appends an attribute; the kernel wants each at a multiple of four.
fn attribute(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    body.extend(length.to_ne_bytes());
    body.extend(kind.to_ne_bytes());
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

/// Sends one request and takes the answer.
fn request(kind: u16, body: &[u8]) -> nix::Result<()> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    let length = u32::try_from(16 + body.len()).map_err(|_| nix::Error::EMSGSIZE)?;
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend(FLAGS.to_ne_bytes());
    // Sequence number and port: there is one request, and the kernel fills in the port.
    message.extend([0; 8]);
    message.extend(body);
    send(socket.as_raw_fd(), &message, MsgFlags::empty())?;
    let mut answer = [0; 4096];
    let count = recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    // Header of 16 bytes, then the negative errno.
    if count < 20 || u16::from_ne_bytes([answer[4], answer[5]]) != ERROR {
        return Err(nix::Error::EBADMSG);
    }
    match i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]) {
        0 => Ok(()),
        negative => Err(nix::Error::from_raw(-negative)),
    }
}
