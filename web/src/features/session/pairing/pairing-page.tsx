export function PairingPage() {
  return null;
}
