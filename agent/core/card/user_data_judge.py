"""Finds mistakes in the user-data and meta-data of a card. cloud-init runs once and reports nothing."""
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from agent.core.card.mistake import CardMistake, error, warning
from agent.core.card.yaml_file import YamlFile

FILE, META_FILE = "user-data", "meta-data"
HEADER = "#cloud-config"
HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
TIME_ZONE = re.compile(r"[A-Z][\w+-]+(/[A-Z][\w+-]+)*")
_KEYS = """
    ansible apt apt_pipelining bootcmd byobu_by_default ca_certs chpasswd cloud_config_modules cloud_final_modules
    cloud_init_modules create_hostname_file device_aliases disable_ec2_metadata disable_root disable_root_opts
    disk_setup enable_ssh final_message fqdn fs_setup groups growpart hostname keyboard landscape launch-index locale
    locale_configfile manage_etc_hosts manage_resolv_conf mcollective merge_how merge_type mount_default_fields mounts
    network ntp no_ssh_fingerprints output package_reboot_if_required package_update package_upgrade packages password
    phone_home power_state prefer_fqdn_over_hostname preserve_hostname puppet random_seed reporting resize_rootfs
    resolv_conf rpi rsyslog runcmd salt_minion snap spacewalk ssh ssh_authorized_keys ssh_deletekeys
    ssh_fp_console_blacklist ssh_genkeytypes ssh_import_id ssh_key_console_blacklist ssh_keys ssh_publish_hostkeys
    ssh_pwauth ssh_quiet_keygen swap system_info timezone updates user users vendor_data version wireguard write_files
    yum_repos zypper autoinstall ca-certs drivers fan growroot lxd
"""
KEYS = frozenset(_KEYS.split())


def begins_right(text: str) -> list[CardMistake]:
    """Checks that cloud-init accepts the file at all, before it is parsed."""
    if text.split("\n", 1)[0].rstrip() == HEADER:
        return []
    why = "it begins with an invisible mark (BOM)" if text.startswith("\ufeff") else f"its first line is not {HEADER}"
    return [error(FILE, 1, f"{why}, so cloud-init leaves the whole file alone",
                  f"make {HEADER} the first line, and save the file as UTF-8 without BOM")]


def judge(file: YamlFile) -> list[CardMistake]:
    if not isinstance(file.value, Mapping):
        return [error(FILE, 1, "there is nothing in it that cloud-init could do",
                      "write NAME: VALUE lines below the first")]
    return [*_keys(file), *_host(file), *_access(file), *_commands(file)]


def judge_meta(file: YamlFile) -> list[CardMistake]:
    if file.at("instance-id") is None and file.at("instance_id") is None:
        return [warning(META_FILE, 1, "instance-id is missing: a card that is corrected after its first start is "
                        "not read again", "add a line, with a new number for each correction: instance-id: taimat-1")]
    return []


def _keys(file: YamlFile) -> Iterator[CardMistake]:
    for key in file.value:
        if key not in KEYS:
            close = next(iter(get_close_matches(str(key), sorted(KEYS), 1)), "")
            yield warning(FILE, file.line(key), f"cloud-init knows no {key} and passes over it",
                          f"is {close} meant?" if close else "correct it, or take it out")


def _host(file: YamlFile) -> Iterator[CardMistake]:
    name, zone = file.at("hostname"), file.at("timezone")
    if name is not None and not (isinstance(name, str) and HOST_NAME.fullmatch(name)):
        yield error(FILE, file.line("hostname"), f"{name!r} can't be a computer's name",
                    "use letters without accents, digits and - only, 63 at most, and put a number into quotes")
    if name is None:
        yield warning(FILE, 1, "no hostname: the recorder is called as the image has it, and not taimat.local",
                      "add a line: hostname: taimat")
    if zone is not None and not (isinstance(zone, str) and TIME_ZONE.fullmatch(zone)):
        yield error(FILE, file.line("timezone"), f"{zone!r} is no time zone", "write it as Asia/Ho_Chi_Minh")


def _access(file: YamlFile) -> Iterator[CardMistake]:
    if file.at("ssh_pwauth") not in (None, False):
        yield warning(FILE, file.line("ssh_pwauth"), "anybody in the network may try passwords (ssh_pwauth)",
                      "write ssh_pwauth: false, and log in by a key")
    for key in ("password", "chpasswd"):
        if file.at(key):
            yield warning(FILE, file.line(key), f"{key}: a password stands on the card, and everybody with it reads it",
                          "take it out, and log in by a key (ssh_authorized_keys)")
    users = file.at("users")
    for number, user in enumerate(users if isinstance(users, list) else ()):
        if not isinstance(user, Mapping):
            continue
        if any(user.get(key) for key in ("plain_text_passwd", "passwd", "hashed_passwd")):
            yield warning(FILE, file.line("users", number), f"{user.get('name')}: a password, or what it is guessed "
                          "from, is on the card", "use ssh_authorized_keys and lock_passwd: true")
        elif user.get("lock_passwd") is False:
            yield warning(FILE, file.line("users", number, "lock_passwd"),
                          f"{user.get('name')} may log in without a password", "write lock_passwd: true")


def _commands(file: YamlFile) -> Iterator[CardMistake]:
    for key in ("runcmd", "bootcmd", "packages", "write_files", "users"):
        if (given := file.at(key)) is not None and not isinstance(given, list):
            yield error(FILE, file.line(key), f"{key} must be a list", "begin each of its lines with a - and a space")
    for number, command in enumerate(file.at("bootcmd") or ()):
        words = command if isinstance(command, list) else str(command).split()
        if "systemctl" in words and ("--now" in words or "start" in words) and "--no-block" not in words:
            yield error(FILE, file.line("bootcmd", number),
                        "the boot waits for this command, and the command for the boot", "add --no-block")
