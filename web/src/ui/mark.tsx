import icon from "../icon.svg";

/** The product's sign; says nothing to a screen reader that the words beside it do not. */
export function Mark(props: { size: number }) {
  return <img src={icon} alt="" width={props.size} height={props.size} />;
}
