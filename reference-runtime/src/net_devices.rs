//! config-linux.md, Network Devices: devices of the host, moved into the container's network
//! namespace by rtnetlink(7), renamed, with their addresses, and set up.

use crate::document::Node;
use crate::error::{CallContext, Error, Result};
use crate::namespaces::Namespaces;
use crate::sys::netlink::route_socket;
use crate::sys::process::{CLONE_NEWNET, setns};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// The kernel's limit for a name, with its NUL.
const NAME_SIZE: usize = 16;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const REQUEST: u16 = 0x1;
const ACK: u16 = 0x4;
const EXCLUSIVE_CREATE: u16 = 0x600;
const DUMP: u16 = 0x300;

const IFA_LABEL: u16 = 3;
const IFA_CACHEINFO: u16 = 6;
const IFA_FLAGS: u16 = 8;
const PERMANENT: u8 = 0x80;

/// A device to be moved.
#[derive(Debug, Clone)]
pub(crate) struct NetDevice {
    /// Its name in the runtime namespace.
    outside: String,
    /// Its name in the container; one that ends in `%d` is a template for the kernel.
    inside: String,
    pointer: String,
}

/// A device that was moved, and how to take it back.
#[derive(Debug)]
pub(crate) struct Moved {
    device: NetDevice,
    index_inside: u32,
    was_up: bool,
    addresses: Vec<Address>,
}

/// A permanent address with global scope: what RTM_GETADDR told of it, but for its label, which is
/// made of a name, and its lifetime, which is for ever.
#[derive(Debug, Clone)]
struct Address {
    family: u8,
    prefix: u8,
    attributes: Vec<(u16, Vec<u8>)>,
}

/// `linux.netDevices`.
pub(crate) fn plan(linux: Option<&Node<'_>>, namespaces: &Namespaces) -> Result<Vec<NetDevice>> {
    let Some(linux) = linux else {
        return Ok(Vec::new());
    };
    let mut devices: Vec<NetDevice> = Vec::new();
    for (outside, entry) in linux.object_map("netDevices")? {
        let inside = entry.string("name")?.unwrap_or(outside);
        check_name(outside).map_err(|why| Error::new(why).at(entry.pointer()))?;
        check_name(inside).map_err(|why| entry.error("name", why))?;
        if inside.contains('%') && !(inside.ends_with("%d") && inside.matches('%').count() == 1) {
            return Err(entry.error(
                "name",
                format!("{inside:?}: a template ends in its only \"%d\""),
            ));
        }
        if !inside.ends_with("%d") && devices.iter().any(|other| other.inside == inside) {
            return Err(entry.error("name", format!("a second device is to be named {inside:?}")));
        }
        let pointer = entry.pointer();
        devices.push(NetDevice {
            outside: outside.to_owned(),
            inside: inside.to_owned(),
            pointer,
        });
    }
    if !devices.is_empty() && !namespaces.own(CLONE_NEWNET) {
        return Err(linux.error("netDevices", "needs a network namespace, new or by path"));
    }
    Ok(devices)
}

/// As dev_valid_name() of the kernel has it.
fn check_name(name: &str) -> std::result::Result<(), String> {
    let bad = name.is_empty()
        || name.len() >= NAME_SIZE
        || matches!(name, "." | "..")
        || name
            .bytes()
            .any(|byte| matches!(byte, b'/' | b':') || byte.is_ascii_whitespace());
    if bad {
        Err(format!(
            "{name:?} is not a name that a network device can have"
        ))
    } else {
        Ok(())
    }
}

/// Moves the devices into the container's network namespace. If one cannot be moved, those that
/// were are taken back.
pub(crate) fn move_all(
    devices: &[NetDevice],
    namespaces: &Namespaces,
    pid: i32,
) -> Result<Vec<Moved>> {
    let namespace = container_namespace(namespaces, pid)?;
    let mut host = Link::open()?;
    let mut container = Link::open_in(namespace.as_fd())?;
    let mut moved = Vec::new();
    for device in devices {
        match move_one(device, &mut host, &mut container, namespace.as_fd()) {
            Ok(one) => moved.push(one),
            Err(error) => {
                return_all_with(&moved, &mut host, &mut container);
                return Err(error.at(&device.pointer));
            }
        }
    }
    Ok(moved)
}

/// Takes devices back to the runtime namespace, as they were: for a create that fails later. While
/// the container's process lives: with its namespace the devices would go.
pub(crate) fn return_all(moved: &[Moved], namespaces: &Namespaces, pid: i32) -> Result<()> {
    if moved.is_empty() {
        return Ok(());
    }
    let namespace = container_namespace(namespaces, pid)?;
    let mut host = Link::open()?;
    let mut container = Link::open_in(namespace.as_fd())?;
    return_all_with(moved, &mut host, &mut container);
    Ok(())
}

/// The network namespace that is joined, or else the one that the container process was made in:
/// that process may not have joined any yet.
fn container_namespace(namespaces: &Namespaces, pid: i32) -> Result<File> {
    let mut joined = namespaces.joined.iter();
    match joined.find(|joined| joined.kind == CLONE_NEWNET) {
        Some(joined) => {
            let file = joined.file.try_clone();
            Ok(file.call(|| format!("dup({:?})", joined.path))?.into())
        }
        None => {
            let path = format!("/proc/{pid}/ns/net");
            File::open(&path).call(|| format!("open({path:?})"))
        }
    }
}

fn return_all_with(moved: &[Moved], host: &mut Link, container: &mut Link) {
    for one in moved.iter().rev() {
        if let Err(error) = return_one(one, host, container) {
            crate::log::warning(
                &error
                    .at(&one.device.pointer)
                    .stage("cleaning up")
                    .to_string(),
            );
        }
    }
}

fn move_one(
    device: &NetDevice,
    host: &mut Link,
    container: &mut Link,
    namespace: BorrowedFd<'_>,
) -> Result<Moved> {
    let (index, flags) = host.find(&device.outside)?;
    let addresses = host.addresses(index)?;
    let before = container.indexes()?;
    // One request moves and renames; the kernel refuses a name that is taken (EEXIST).
    host.move_to(index, &device.inside, namespace).call(|| {
        format!(
            "RTM_NEWLINK({:?}, name {:?}, namespace)",
            device.outside, device.inside
        )
    })?;
    // The kernel keeps the index, unless the other namespace uses it.
    let index_inside = match container
        .indexes()?
        .into_iter()
        .find(|other| !before.contains(other))
    {
        Some(index) => index,
        None => {
            return Err(Error::new(format!(
                "{:?} did not arrive in the namespace",
                device.outside
            )));
        }
    };
    let was_up = flags & libc::IFF_UP as u32 != 0;
    let moved = Moved {
        device: device.clone(),
        index_inside,
        was_up,
        addresses,
    };
    // A move takes a device down and drops its addresses.
    let arrived = container
        .restore(index_inside, &moved.addresses)
        .and_then(|()| container.set_up(index_inside));
    if let Err(error) = arrived {
        return_all_with(std::slice::from_ref(&moved), host, container);
        return Err(error);
    }
    Ok(moved)
}

fn return_one(moved: &Moved, host: &mut Link, container: &mut Link) -> Result<()> {
    let own = File::open("/proc/self/ns/net").call(|| "open(\"/proc/self/ns/net\")")?;
    let name = &moved.device.outside;
    let before = host.indexes()?;
    container
        .move_to(moved.index_inside, name, own.as_fd())
        .call(|| format!("RTM_NEWLINK(back to {name:?})"))?;
    let index = host
        .indexes()?
        .into_iter()
        .find(|other| !before.contains(other));
    let Some(index) = index else { return Ok(()) };
    host.restore(index, &moved.addresses)?;
    if moved.was_up {
        host.set_up(index)
    } else {
        Ok(())
    }
}

/// A conversation with the routing subsystem of one network namespace.
struct Link {
    socket: File,
    sequence: u32,
}

impl Link {
    fn open() -> Result<Link> {
        let socket = route_socket().call(|| "socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)")?;
        Ok(Link {
            socket,
            sequence: 0,
        })
    }

    /// A socket belongs to the namespace in which it was made, so that a visit is enough.
    fn open_in(namespace: BorrowedFd<'_>) -> Result<Link> {
        let own = File::open("/proc/self/ns/net").call(|| "open(\"/proc/self/ns/net\")")?;
        let enter = |namespace: BorrowedFd<'_>| {
            setns(namespace, CLONE_NEWNET)
                .call(|| format!("setns({}, CLONE_NEWNET)", namespace.as_raw_fd()))
        };
        enter(namespace)?;
        let link = Link::open();
        enter(own.as_fd())?;
        link
    }

    /// Index and flags of the device of a name.
    fn find(&mut self, name: &str) -> Result<(u32, u32)> {
        let mut message = Message::new(libc::RTM_GETLINK, REQUEST, &interface(0, 0, 0));
        message.attribute(libc::IFLA_IFNAME, &with_nul(name));
        let answers = self
            .ask(message)
            .call(|| format!("RTM_GETLINK({name:?})"))?;
        let answer = answers
            .first()
            .and_then(|(_, body)| Some((word(body, 4)?, word(body, 8)?)));
        answer.ok_or_else(|| Error::new(format!("RTM_GETLINK({name:?}) told nothing")))
    }

    fn indexes(&mut self) -> Result<Vec<u32>> {
        let message = Message::new(libc::RTM_GETLINK, REQUEST | DUMP, &interface(0, 0, 0));
        let answers = self.ask(message).call(|| "RTM_GETLINK")?;
        Ok(answers
            .iter()
            .filter_map(|(_, body)| word(body, 4))
            .collect())
    }

    fn move_to(&mut self, index: u32, name: &str, namespace: BorrowedFd<'_>) -> io::Result<()> {
        let mut message = Message::new(libc::RTM_NEWLINK, REQUEST | ACK, &interface(index, 0, 0));
        message.attribute(libc::IFLA_NET_NS_FD, &namespace.as_raw_fd().to_ne_bytes());
        message.attribute(libc::IFLA_IFNAME, &with_nul(name));
        self.ask(message).map(drop)
    }

    fn set_up(&mut self, index: u32) -> Result<()> {
        let up = libc::IFF_UP as u32;
        let message = Message::new(libc::RTM_NEWLINK, REQUEST | ACK, &interface(index, up, up));
        self.ask(message)
            .call(|| format!("RTM_NEWLINK(device {index}, IFF_UP)"))
            .map(drop)
    }

    /// Addresses of a device that are permanent and of global scope.
    fn addresses(&mut self, index: u32) -> Result<Vec<Address>> {
        let message = Message::new(libc::RTM_GETADDR, REQUEST | DUMP, &[0; 8]);
        let answers = self.ask(message).call(|| "RTM_GETADDR")?;
        let kept = answers.iter().filter_map(|(_, body)| {
            let [family, prefix, flags, scope] = *body.get(..4)? else {
                return None;
            };
            let wanted = word(body, 4)? == index
                && flags & PERMANENT != 0
                && scope == libc::RT_SCOPE_UNIVERSE;
            let attributes = attributes(body.get(8..)?)
                .filter(|(kind, _)| !matches!(*kind, IFA_LABEL | IFA_CACHEINFO | IFA_FLAGS))
                .collect();
            wanted.then_some(Address {
                family,
                prefix,
                attributes,
            })
        });
        Ok(kept.collect())
    }

    /// Adds addresses to a device.
    fn restore(&mut self, index: u32, addresses: &[Address]) -> Result<()> {
        for address in addresses {
            let mut head = vec![
                address.family,
                address.prefix,
                PERMANENT,
                libc::RT_SCOPE_UNIVERSE,
            ];
            head.extend(index.to_ne_bytes());
            let mut message =
                Message::new(libc::RTM_NEWADDR, REQUEST | ACK | EXCLUSIVE_CREATE, &head);
            for (kind, value) in &address.attributes {
                message.attribute(*kind, value);
            }
            self.ask(message)
                .call(|| format!("RTM_NEWADDR(device {index}, {address:?})"))?;
        }
        Ok(())
    }

    /// Sends a message and reads what comes until it is answered: kind and body of each answer.
    fn ask(&mut self, message: Message) -> io::Result<Vec<(u16, Vec<u8>)>> {
        self.sequence += 1;
        let whole = message.kind_of_answer();
        self.socket.write_all(&message.finished(self.sequence))?;
        let mut answers = Vec::new();
        let mut buffer = vec![0; 65536];
        loop {
            let length = self.socket.read(&mut buffer)?;
            let mut rest = &buffer[..length];
            while let (Some(size), Some(sequence)) = (word(rest, 0), word(rest, 8)) {
                let size = size as usize;
                let (Some(one), Some(kind)) = (rest.get(..size), half(rest, 4)) else {
                    break;
                };
                rest = rest.get(align(size)..).unwrap_or(&[]);
                if sequence != self.sequence {
                    continue;
                }
                let body = one.get(16..).unwrap_or(&[]);
                match kind {
                    NLMSG_ERROR => match word(body, 0).unwrap_or(0) as i32 {
                        0 => return Ok(answers),
                        error => return Err(io::Error::from_raw_os_error(-error)),
                    },
                    NLMSG_DONE => return Ok(answers),
                    kind => answers.push((kind, body.to_vec())),
                }
            }
            if whole == Answer::One && !answers.is_empty() {
                return Ok(answers);
            }
        }
    }
}

/// How an answer ends.
#[derive(PartialEq, Eq)]
enum Answer {
    /// With its one message.
    One,
    /// With NLMSG_DONE, or with the acknowledgement.
    Marked,
}

/// A message in the making: header, fixed part, attributes (netlink(7)).
struct Message(Vec<u8>);

impl Message {
    fn new(kind: u16, flags: u16, fixed: &[u8]) -> Message {
        let mut bytes = vec![0; 16];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        bytes.extend(fixed);
        Message(bytes)
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.0.resize(align(self.0.len()), 0);
        self.0.extend((4 + value.len() as u16).to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
    }

    fn kind_of_answer(&self) -> Answer {
        let flags = half(&self.0, 6).unwrap_or(0);
        if flags & (ACK | DUMP) == 0 {
            Answer::One
        } else {
            Answer::Marked
        }
    }

    fn finished(mut self, sequence: u32) -> Vec<u8> {
        let length = self.0.len() as u32;
        self.0[0..4].copy_from_slice(&length.to_ne_bytes());
        self.0[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.0
    }
}

/// struct ifinfomsg.
fn interface(index: u32, flags: u32, change: u32) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[4..8].copy_from_slice(&index.to_ne_bytes());
    bytes[8..12].copy_from_slice(&flags.to_ne_bytes());
    bytes[12..16].copy_from_slice(&change.to_ne_bytes());
    bytes
}

/// The attributes of a message's rest; what is cut off ends them.
fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, Vec<u8>)> {
    std::iter::from_fn(move || {
        let length = usize::from(half(rest, 0)?);
        let value = rest.get(4..length)?.to_vec();
        let kind = half(rest, 2)?;
        rest = rest.get(align(length)..).unwrap_or(&[]);
        Some((kind, value))
    })
}

fn with_nul(name: &str) -> Vec<u8> {
    [name.as_bytes(), &[0]].concat()
}

fn align(length: usize) -> usize {
    length.next_multiple_of(4)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_kernels() {
        for good in ["eth0", "a", "exactly-15-char"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a:b", "a b", "sixteen-chars-ab"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn attributes_are_padded_and_read_back() {
        let mut message = Message::new(1, 2, &[9; 8]);
        message.attribute(3, b"odd");
        message.attribute(4, b"even");
        let bytes = message.finished(7);
        assert_eq!(word(&bytes, 0), Some(bytes.len() as u32));
        let read: Vec<_> = attributes(&bytes[24..]).collect();
        assert_eq!(read, [(3, b"odd".to_vec()), (4, b"even".to_vec())]);
    }

    #[test]
    fn attributes_that_are_cut_off_end_the_list() {
        assert_eq!(attributes(&[200, 0, 1, 0, 5]).count(), 0);
        assert_eq!(attributes(&[0, 0, 0, 0]).count(), 0);
    }

    #[test]
    fn the_loopback_device_is_found() {
        let mut link = Link::open().unwrap();
        let (index, _) = link.find("lo").unwrap();
        assert!(link.indexes().unwrap().contains(&index));
        assert!(link.find("no-such-device").is_err());
    }
}
