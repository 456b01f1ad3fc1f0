//! What a cartridge's folder says it is: the card that this model keeps there, or else what the reference's configuration
//! has.

use super::CartridgeResult;
use super::card::Card;
use super::files::{read_all, replace};
use crate::ldm::disk::{Disk, OsDisk};
use crate::ldm::virt::technology::Technology;
use nix::errno::Errno;

/// What the card is kept in. Other software ignores a name that is no block's.
const CARD: &str = "respool-cartridge.json";

/// The configuration that the reference keeps beside the blocks.
const REFERENCE_CONFIG: &str = "filedebug_tc_conf.xml";

/// The text of an element of the reference's configuration, which has no attributes and no nesting worth minding.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once("</").map(|(value, _)| value.trim())
}

/// The card of a folder that holds so many partitions; `fallback` where nothing says what it is.
pub(super) fn card_of(disk: &mut OsDisk, barcode: &str, fallback: Technology, used: u8) -> CartridgeResult<Card> {
    const TEXT_MAX: u64 = 1 << 16;
    if let Some(stat) = disk.stat(CARD)? {
        let text = read_all(disk, CARD, stat.bytes.min(TEXT_MAX))?;
        return serde_json::from_slice(&text).map_err(|_| Errno::EINVAL);
    }
    let config = match disk.stat(REFERENCE_CONFIG)? {
        Some(stat) => read_all(disk, REFERENCE_CONFIG, stat.bytes.min(TEXT_MAX))?,
        None => Vec::new(),
    };
    let config = String::from_utf8_lossy(&config);
    let technology = element(&config, "cart_type")
        .and_then(Technology::of_cart_type)
        .unwrap_or(fallback);
    let capacity = element(&config, "capacity_mb").and_then(|mb| mb.parse::<u64>().ok());
    let capacity = capacity.map_or(technology.capacity(), |mb| mb.saturating_mul(1 << 20));
    let mut card = Card::of_capacity(barcode, technology, capacity);
    card.partitions = card.usual_sizes(used);
    Ok(card)
}

/// Keeps a card, durably.
pub(super) fn keep_card(disk: &mut OsDisk, card: &Card) -> CartridgeResult<()> {
    let text = serde_json::to_vec_pretty(card).map_err(|_| Errno::EINVAL)?;
    replace(disk, CARD, &text)
}
